"""Language models: any OpenAI-compatible endpoint, a local one, plug-ins; all alike from inside."""

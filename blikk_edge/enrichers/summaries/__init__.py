"""What is written about events and periods, by a model or by the template."""

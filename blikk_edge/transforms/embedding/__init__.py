"""What a redacted picture looks like: colours, embeddings, and how well they fit words."""

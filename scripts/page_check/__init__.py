"""Whether the pages hold together: links between files as GitHub shows them, and the built site. Asks no network."""

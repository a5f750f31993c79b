"""Languages: what a household reads and says, as data; one folder each."""

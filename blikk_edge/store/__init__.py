"""What is kept on disk: the journal of records, the history, small values."""

"""Models: which there are, where they come from, how they run and how their outputs are read."""

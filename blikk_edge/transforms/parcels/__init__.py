"""What was left behind, and what was taken."""

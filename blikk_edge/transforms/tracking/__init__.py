"""Who is who from look to look, and in which zones."""

"""HTTP: redacted Pictures of the past for those who know the token."""

"""Sentences that a user asked to be watched."""

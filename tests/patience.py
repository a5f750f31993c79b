"""How long a state is waited for, beside how long it usually takes: machines that test are slow and do much at once."""

PATIENCE = 4
"""Limits are this many times what a quiet machine needs: a test that waits for a state loses nothing by it."""

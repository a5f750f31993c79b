"""What hassfest and HACS would refuse of custom_components/blikk, found offline. A fault is a line of text."""

"""The words of the house. Pure: no I/O, no threads, no library that talks to a device."""

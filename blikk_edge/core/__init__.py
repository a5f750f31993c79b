"""The values and ports that all rooms share. Pure: no I/O, no threads, no library that talks to a device."""

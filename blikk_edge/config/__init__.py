"""`blikk.yaml` in, frozen `Settings` out; every error with file, line, path and how to mend it."""

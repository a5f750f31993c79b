"""What goes wrong as expected, in one line each."""


class UpdateError(Exception):
    """One line for the user; the application runs as before."""


class StoppedError(UpdateError):
    """Somebody ended this process by a signal."""


class UnhealthyError(UpdateError):
    """A version does not run here as it should."""


class IntegrityError(UpdateError):
    """A file or an index is not what its maker signed."""

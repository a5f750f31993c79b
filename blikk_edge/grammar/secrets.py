"""Values that must not be shown."""

from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit


class Secret:
    """A text that shows itself only to who asks with `reveal()`; `repr`, `str` and format give stars."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class SecretAddress(Secret):
    """A secret of which a part may be shown: `public`."""

    __slots__ = ()

    @property
    def public(self) -> str:
        """The address as it may be shown and logged."""
        return "***"

    def __repr__(self) -> str:
        return repr(self.public)

    def __str__(self) -> str:
        return self.public

    def __format__(self, spec: str) -> str:
        return format(self.public, spec)


class SourceUrl(SecretAddress):
    """A camera's address: a URL, a path or `/dev/videoN`. Shows itself without user, password and query.

    A `hidden` one (it came as a `!secret`) shows no more than its scheme.
    """

    __slots__ = ("_hidden",)

    def __init__(self, text: str, *, hidden: bool = False) -> None:
        super().__init__(text)
        self._hidden = hidden

    @property
    def public(self) -> str:
        """The address as it may be shown and logged."""
        scheme, mark, _ = self.reveal().partition("://")
        if not mark:
            return "***" if self._hidden else scheme
        try:
            parts = urlsplit(self.reveal())
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return f"{scheme}://***"
        # A raw `/`, `?` or `#` in a password ends the host too early: what stands on both sides of it is the password.
        if self._hidden or "@" in parts.path + parts.query + parts.fragment:
            return f"{scheme}://***"
        # Some recorders take the login in the path: /user=admin&password=...&channel=1
        path = "/***" if "=" in parts.path else parts.path
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        user = "***@" if parts.username is not None else ""
        query = "***" if parts.query else ""
        return urlunsplit((parts.scheme, f"{user}{host}{port}", path, query, ""))

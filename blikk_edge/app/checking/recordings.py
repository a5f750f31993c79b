"""What a configuration says of recordings, and what everybody in the house should know of them."""

from collections.abc import Iterator, Mapping

from blikk_edge.config.settings import Settings
from blikk_edge.grammar.problem import Wrong


def faces(settings: Settings, _environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """Whose faces are in recordings."""
    for camera in settings.cameras:
        if not camera.recorded or camera.record is None:
            continue
        leaves = (
            "only redacted clips of events leave this machine"
            if camera.record.redact
            else "their clips show them to whoever may see events"
        )
        notes += [f"{camera.id} is recorded ({camera.record.mode}): faces in recordings are NOT blurred; {leaves}"]
        if camera.private and not camera.record.redact:
            notes += [f"{camera.id}: its private areas can be seen in recordings, as you agreed"]
        if camera.record.redact and not settings.privacy.blur:
            mend = "Remove `privacy.blur: false`, or `redact`."
            yield Wrong(
                "`redact` with `privacy.blur: false`, which blurs nothing", mend, "cameras", camera.id, "record"
            )

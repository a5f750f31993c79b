"""What keeps a camera away is also said as a code, for pages in other languages."""

import errno

import av.error
import pytest

from blikk_edge.core.errors import Trouble
from blikk_edge.sources import faults


@pytest.mark.parametrize(
    ("what", "trouble"),
    [
        (faults.status_meaning(401), Trouble.LOGIN),
        (faults.status_meaning(403), Trouble.FORBIDDEN),
        (faults.status_meaning(404), Trouble.NOT_FOUND),
        (faults.status_meaning(503), None),
        (faults.system_meaning(ConnectionRefusedError()), Trouble.REFUSED),
        (faults.system_meaning(TimeoutError()), Trouble.TIMEOUT),
        (faults.system_meaning(OSError(errno.EHOSTUNREACH, "")), Trouble.UNREACHABLE),
        (faults.meaning(av.error.HTTPUnauthorizedError(0, "")), Trouble.LOGIN),
        (faults.meaning(av.error.FileNotFoundError(errno.ENOENT, "")), Trouble.NOT_FOUND),
        (faults.meaning(av.error.InvalidDataError(0, "")), Trouble.NO_VIDEO),
        (faults.meaning(ValueError()), None),
    ],
)
def test_the_usual_troubles_have_a_code(what: str, trouble: Trouble | None) -> None:
    assert faults.source_error("rtsp://camera", what).trouble is trouble

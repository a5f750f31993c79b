"""Set-up of a node without a configuration: cameras and a broker are tried for real, and the first file is written."""

import asyncio
import secrets as random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import voluptuous as vol

from blikk_edge.app.checking import check
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.config.build import slug_of
from blikk_edge.config.places import SourceIn
from blikk_edge.config.settings import CameraSettings, NodeSettings, PrivacySettings, Settings
from blikk_edge.config.starter import Starter, StarterBroker, StarterCamera, StarterHttp, name_of_machine
from blikk_edge.config.writing import write_new
from blikk_edge.config.yaml_lines import SECRETS
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError, ConfigError, SourceError, Trouble
from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.picture import SNAPSHOT, Picture
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.sinks.mqtt.address import Address, Tls
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.onvif.search import on_network
from blikk_edge.sources.terms import Terms
from blikk_edge.web.setup_work import AnswerBroker, Answers, FoundCamera, Review, Written

CAMERA_S: Final = 40.0
BROKER_S: Final = 20.0
SETTLE_FRAMES: Final = 3
"""The first pictures of many cameras are grey, or still dark."""

TRIED: Final = "camera"


class SettingUp:
    """Implements `web.setup_work.SetupWork` for a configuration that is written to `path`.

    `host` and `port` are those of the set-up page, which the pages of the node take over; without a `certificate` they
    are for this machine alone.
    """

    def __init__(
        self,
        path: Path,
        *,
        environ: Mapping[str, str],
        host: str,
        port: int,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.name = name_of_machine()
        self.file = path.name
        self._path = path.absolute()
        self._environ = environ
        self._host = host
        self._port = port
        self._certificate = certificate
        self._key = key
        self._models: VisionModels | None = None
        self._tokens = random.token_urlsafe(24), random.token_urlsafe(24)

    async def find_cameras(self) -> tuple[FoundCamera, ...]:
        """Those that answer on this network; raises BlikkError where they cannot be looked for."""
        found = await asyncio.to_thread(on_network)
        return tuple(FoundCamera(what=each.name or each.hardware or each.host, source=each.address) for each in found)

    async def try_camera(self, source: str) -> Picture:
        """Open a camera and give a redacted picture of it; raises BlikkError."""
        try:
            found = SourceIn(self._path.parent)(source)
        except vol.Invalid as error:
            raise SourceError(_said(error)).of(Trouble.ADDRESS) from None
        if not isinstance(found, SourceUrl):
            raise SourceError("a source of a plug-in is not tried here; write it into the file by hand")
        stop = threading.Event()
        trying = asyncio.ensure_future(asyncio.to_thread(self._picture, found, stop))
        try:
            async with asyncio.timeout(CAMERA_S):
                return await asyncio.shield(trying)
        except TimeoutError:
            raise SourceError(f"{found.public}: no picture came within {CAMERA_S:.0f} s").of(Trouble.TIMEOUT) from None
        finally:
            stop.set()

    async def try_broker(self, broker: AnswerBroker) -> None:
        """Log in at a broker; raises BlikkError."""
        from blikk_edge.sinks.mqtt.connection import Connection  # noqa: PLC0415  # a node without broker needs none
        from blikk_edge.sinks.mqtt.login import visit  # noqa: PLC0415

        address = Address(
            host=broker.host,
            port=broker.port or (8883 if broker.tls else 1883),
            username=broker.username or None,
            password=broker.password or None,
            tls=Tls() if broker.tls else None,
        )

        async def nothing(_connection: Connection) -> None:
            return

        try:
            async with asyncio.timeout(BROKER_S):
                await visit(address, identifier=f"blikk-setup-{random.token_hex(8)}", work=nothing)
        except TimeoutError:
            raise ConfigError(f"broker {address}: no answer within {BROKER_S:.0f} s").of(Trouble.TIMEOUT) from None
        except (ValueError, UnicodeError):
            raise ConfigError("the host of the broker cannot be read; write a name or an address").of(
                Trouble.ADDRESS
            ) from None

    def review(self, answers: Answers) -> Review:
        """What would be written; raises ConfigError."""
        text, secrets = self._starter(answers).files()
        with tempfile.TemporaryDirectory(prefix="blikk-") as folder:
            path = Path(folder, self.file)
            try:
                if secrets:
                    write_new(path.with_name(SECRETS), secrets, 0o600)
                write_new(path, text, 0o600)
            except UnicodeEncodeError:
                raise ConfigError("a name or an address that is no text") from None
            found = check(path, self._environ)
        # the page that asks has this port now, and gives it up
        problems = tuple(each for each in found.problems if not each.path.startswith("http.port"))
        names = tuple(line.partition(":")[0] for line in secrets.splitlines() if not line.startswith("#"))
        return Review(yaml=text, secrets=names, problems=problems, notes=found.notes)

    def write(self, answers: Answers) -> Written:
        """Write it, where nothing is yet; raises ConfigError."""
        beside = self._path.with_name(SECRETS)
        for file in (self._path, beside):
            if file.exists() or file.is_symlink():
                raise ConfigError(f"{file.name} is there already; nothing was written")
        review = self.review(answers)
        if review.problems:
            raise ConfigError("; ".join(f"{each.path}: {each.text}. {each.mend}" for each in review.problems))
        text, secrets = self._starter(answers).files()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if secrets:
                write_new(beside, secrets, 0o600)
            write_new(self._path, text, 0o644)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise ConfigError(f"{self._path}: it cannot be written: {error.strerror}") from error
        view, control = self._tokens
        return Written(file=str(self._path), view=view, control=control, here_only=self._here_only)

    @property
    def _here_only(self) -> bool:
        return is_loopback(self._host) or self._certificate is None

    def _starter(self, answers: Answers) -> Starter:
        node = slug_of(answers.name)
        if not node:
            raise ConfigError("no id can be made of this name; write one with letters a-z or digits")
        broker = answers.broker
        return Starter(
            node=node,
            by="setup",
            name=answers.name,
            language=answers.language,
            http=self._http(answers),
            broker=None
            if broker is None
            else StarterBroker(
                host=broker.host,
                port=broker.port,
                tls=broker.tls,
                username=broker.username,
                password=broker.password,
            ),
            cameras=tuple(self._cameras(answers)),
        )

    def _cameras(self, answers: Answers) -> Iterator[StarterCamera]:
        taken: set[str] = set()
        for number, camera in enumerate(answers.cameras, 1):
            place = slug_of(camera.name) or f"camera_{number}"
            while place in taken:
                place = f"{place}_{number}"
            taken.add(place)
            source = camera.source if "://" in camera.source else str(Path(camera.source).absolute())
            # without a broker only the hook can ring
            ring = ("true" if answers.broker else "{http: true}") if camera.doorbell else ""
            yield StarterCamera(id=place, name=camera.name, source=source, ring=ring)

    def _http(self, answers: Answers) -> StarterHttp:
        view, control = self._tokens
        if self._here_only:
            return StarterHttp(view=view, control=control, port=self._port)
        return StarterHttp(
            view=view,
            control=control,
            host=self._host,
            port=self._port,
            url=answers.address,
            certificate=str(self._certificate and self._certificate.absolute()),
            key=str(self._key and self._key.absolute()),
        )

    # -- another thread ------------------------------------------------------------------------------------------

    def _picture(self, source: SourceUrl, stop: threading.Event) -> Picture:
        settings = Settings(
            node=NodeSettings(id="setup", name="Setup"),
            mqtt=None,
            cameras=(CameraSettings(id=TRIED, name=TRIED, source=source),),
            privacy=PrivacySettings(),
        )
        if self._models is None:
            self._models = VisionModels(settings)
        tools = self._models.tools(settings)(TRIED)
        terms = Terms(
            camera=TRIED,
            shown=source.public,
            clock=SystemClock(),
            fps=settings.cameras[0].fps,
            height_px=settings.cameras[0].height_px,
        )
        return _first_picture(source, terms, tools, stop)


def _first_picture(source: SourceUrl, terms: Terms, tools: VisionTools, stop: threading.Event) -> Picture:
    """The first picture that is not one of a stream that begins, or the only one there is; raises BlikkError."""
    until = time.monotonic() + CAMERA_S
    frame: Frame | None = None
    terms = replace(terms, nothing_new=stop.set)  # a still image that does not change gives no second one
    for number, newest in enumerate(open_source(source.reveal(), terms).frames(stop), 1):
        frame = newest
        if number >= SETTLE_FRAMES or time.monotonic() >= until:
            break
    if frame is None:
        raise SourceError(f"{source.public}: it ended before a picture came").of(Trouble.NO_VIDEO)
    found = tools.detector.detect(frame.bgr())
    scene = Scene(frame=frame, motion=Motion(view=View.SETTLING), look=True, analysed=True)
    return tools.redactor.picture(replace(scene, detections=found), name=SNAPSHOT)


def _said(error: vol.Invalid) -> str:
    if isinstance(error, Wrong):
        return f"{error.msg}. {error.mend}"
    return str(error.msg) if isinstance(error, BlikkError) else "this address cannot be read"

"""A local GGUF model in a process of its own, so that neither its crash nor its memory is ours."""

import asyncio
import importlib.util
import logging
import os
import secrets
from pathlib import Path
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError
from blikk_edge.core.installing import pip_install
from blikk_edge.llm.llama_child import ENGINES, Order
from blikk_edge.llm.llama_process import LlamaProcess
from blikk_edge.llm.openai_api import OpenAiModel, require_httpx
from blikk_edge.llm.openai_request import AUTO, Form
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    Completion,
    Prompt,
    RefusedError,
)
from blikk_edge.llm.tokens import IMAGE_TOKENS, Ratio, prompt_tokens

LOG = logging.getLogger("blikk.llm")

LOAD_S: Final = 300.0
"""How long loading may take: 4 GB from a slow card."""
HEALTH_S: Final = 5.0
DEATH_S: Final = 0.3

XLLAMACPP, LLAMA_CPP = ENGINES


class LlamaModel:
    """The GGUF file `path`, served by llama.cpp to this process alone.

    With `projector`, the GGUF of an image encoder that belongs to the model, it takes Pictures. `threads` is all cores
    but one where it is None. `structured` is as for `OpenAiModel`, `auto` a grammar. `engine` is `xllamacpp` or
    `llama_cpp`, by default the first that is installed.

    It is loaded by the first call and loaded again by the next one after it died or hung, after a pause where that
    happened before. A call whose time ends while the model loads raises AwayError; the loading goes on.
    """

    def __init__(
        self,
        *,
        path: Path,
        clock: Clock,
        projector: Path | None = None,
        name: str | None = None,
        context_tokens: int = 4096,
        threads: int | None = None,
        structured: str = AUTO,
        image_tokens: int = IMAGE_TOKENS,
        engine: str | None = None,
        load_s: float = LOAD_S,
    ) -> None:
        self.name = name or path.stem
        self.sees = projector is not None
        self._path = path.absolute()
        self._projector = None if projector is None else projector.absolute()
        self._clock = clock
        self._context_tokens = context_tokens
        self._threads = threads or max(1, len(os.sched_getaffinity(0)) - 1)
        self._structured = structured
        self._image_tokens = image_tokens
        self._engine = _engine(engine)
        self._load_s = load_s
        self._who = f"language model {self._path}"
        self._ratio = Ratio()
        self._process: LlamaProcess | None = None
        self._model: OpenAiModel | None = None
        self._began = 0.0
        self._calls = 0
        self._doubtful = False
        self._failed: LlmError | None = None
        self._backoff = Backoff()
        self._rest_until = clock.monotonic()
        require_httpx()

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        """The JSON object that the model wrote, as text; raises the LlmErrors of `enrichers.models.port`."""
        if prompt.pictures and not self.sees:
            raise BlindError(f"{self._who}: it has no projector and takes no pictures")
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        try:
            async with asyncio.timeout_at(until):
                process, model = await self._serving()
        except TimeoutError as error:
            raise AwayError(f"{self._who}: it is still loading") from error
        # whatever ends this call otherwise may have left a process that hangs
        self._doubtful = True
        self._calls += 1
        try:
            done = await model.complete(prompt, deadline_s=max(0.0, until - loop.time()))
        except AwayError as error:
            # its connections close before its end is known
            await asyncio.wait((process.ended,), timeout=min(DEATH_S, max(0.0, until - loop.time())))
            if process.ended.done():
                raise AwayError(f"{self._who}: its process ended while it wrote: {process.end()}") from error
            raise
        except LlmError:
            self._doubtful = False
            raise
        finally:
            self._calls -= 1
        self._doubtful = False
        self._failed = None
        self._backoff.reset()
        return done

    def expected_tokens(self, prompt: Prompt) -> int:
        """Tokens that `prompt` will send, as the model has counted so far."""
        return self._ratio.corrected(prompt_tokens(prompt, image_tokens=self._image_tokens))

    async def close(self) -> None:
        """End the process; a later call starts it again."""
        process, self._process = self._process, None
        model, self._model = self._model, None
        if model is not None:
            await model.close()
        if process is not None:
            await process.kill()

    async def _serving(self) -> tuple[LlamaProcess, OpenAiModel]:
        """The process that is ready and its client, started where there is none."""
        process = self._process
        if process is not None and process.ready.done() and not await self._is_alive(process):
            process = self._process  # another call may have started one meanwhile
        if process is None:
            process = self._start()
        left_s = self._load_s - (self._clock.monotonic() - self._began)
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                url = await asyncio.shield(process.ready)
        except TimeoutError as error:
            late = AwayError(f"{self._who}: it was not loaded within {self._load_s:g} s")
            await self._give_up(process, late)
            raise late from error
        except LlmError as error:
            await self._give_up(process, error)
            raise
        if self._model is None:
            self._model = self._client(url, process.key)
            LOG.info("%s: loaded in %.1f s", self._who, self._clock.monotonic() - self._began)
        return process, self._model

    async def _is_alive(self, process: LlamaProcess) -> bool:
        """Whether a process that was ready still serves; one that does not is ended."""
        if process.ended.done():
            await self._give_up(process, AwayError(f"{self._who}: its process ended: {process.end()}"))
            return False
        if self._doubtful and not self._calls:
            try:
                async with asyncio.timeout(HEALTH_S):
                    healthy = await process.healthy(process.ready.result())
            except TimeoutError:
                healthy = False
            if not healthy:
                await self._give_up(process, AwayError(f"{self._who}: its process hung"))
                return False
            self._doubtful = False
        return True

    def _start(self) -> LlamaProcess:
        rest_s = self._rest_until - self._clock.monotonic()
        if rest_s > 0 and isinstance(self._failed, RefusedError):
            raise self._failed
        if rest_s > 0:
            raise BusyError(f"{self._who}: it is started again in {rest_s:.0f} s", retry_after_s=rest_s)
        for path in (self._path, self._projector):
            if path is not None:
                check_gguf(path)
        order = Order(
            engine=self._engine,
            model=str(self._path),
            projector=None if self._projector is None else str(self._projector),
            name=self.name,
            context_tokens=self._context_tokens,
            threads=self._threads,
            key=secrets.token_urlsafe(32),
            parent=os.getpid(),
        )
        self._began = self._clock.monotonic()
        self._process = LlamaProcess(order, who=self._who)
        return self._process

    async def _give_up(self, process: LlamaProcess, error: LlmError) -> None:
        """End a process that is of no use; the second one in a row that fails is followed by a pause."""
        if self._process is not process:  # another call was faster
            return
        LOG.warning("%s", error)
        if self._failed is not None:
            self._rest_until = self._clock.monotonic() + self._backoff.next_s()
        self._failed = error
        await self.close()

    def _client(self, url: str, key: str) -> OpenAiModel:
        return OpenAiModel(
            base_url=url,
            model=self.name,
            api_key=key,
            clock=self._clock,
            # the engines' own ways from schema to grammar allow any spacing and any number of decimals, all paid for,
            # and llama_cpp's lets line breaks into strings
            structured=Form.GRAMMAR if self._structured == AUTO else self._structured,
            # it works on after a plain request was given up, and answers nobody meanwhile
            stream=self._engine == LLAMA_CPP,
            image_tokens=self._image_tokens,
            sees=self.sees,
            ratio=self._ratio,
        )


def check_gguf(path: Path) -> None:
    """Raises RefusedError where there is no GGUF file at `path`."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise RefusedError(f"language model {path}: it cannot be read: {error.strerror}") from error
    if magic != b"GGUF":
        raise RefusedError(f"language model {path}: it is no GGUF file, or was not downloaded whole")


def _engine(wanted: str | None) -> str:
    for name in ENGINES if wanted is None else (wanted,):
        if name in ENGINES and importlib.util.find_spec(name) is not None:
            return name
    what = f"the package {wanted}" if wanted else "a package that runs them"
    extra = "llama-cpp" if wanted == LLAMA_CPP else "llama"
    raise RefusedError(f"local language models need {what}: {pip_install(f'blikk-edge[{extra}]')}")

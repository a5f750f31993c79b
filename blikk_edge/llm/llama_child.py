"""The process around a local model: `python -m blikk_edge.llm.llama_child`, which `llama` starts.

One JSON line on standard input says what to serve, with the key that callers must show; one on standard output says
where it is served, or why not. It ends with its parent: when that dies, and when standard input is closed.
"""

import contextlib
import ctypes
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from blikk_edge.core.core_dumps import forbid_core_dumps

HOST: Final = "127.0.0.1"
NICE: Final = 10
"""A summary may come later; frames may not."""
FIRST_TO_GO: Final = "800"
"""Where memory runs out the kernel is to take this process, not the node."""

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to serve, as the parent writes it to standard input.

    Attributes:
        engine: A key of ENGINES.
        model: The absolute path of the GGUF file.
        projector: The absolute path of the image projector; None: no Pictures.
        name: The model's name in requests and answers.
        context_tokens: Its context: prompt and answer of one call.
        threads: Processor cores.
        key: The API key that each request must show.
        parent: The id of the process to end with.
    """

    engine: str
    model: str
    projector: str | None
    name: str
    context_tokens: int
    threads: int
    key: str
    parent: int

    def line(self) -> bytes:
        """As it is written to standard input."""
        return json.dumps(asdict(self)).encode() + b"\n"


Report = Callable[[dict[str, str]], None]


def main() -> None:
    """Serve until the parent is gone."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the libraries print is no report
    order = Order(**json.loads(sys.stdin.readline()))
    _end_with(order.parent)
    os.nice(NICE)
    with contextlib.suppress(OSError):  # some containers show it read-only
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    forbid_core_dumps()  # prompts, Pictures and the key; from here on /proc/self belongs to root
    try:
        ENGINES[order.engine](order, lambda report: _say(out, report))
    except (RuntimeError, ValueError, OSError, ImportError) as error:
        _say(out, {"failed": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def _xllamacpp(order: Order, report: Report) -> None:
    import xllamacpp  # noqa: PLC0415 - an extra

    params = xllamacpp.CommonParams()
    params.model.path = order.model
    if order.projector is not None:
        params.mmproj.path = order.projector
    params.model_alias = {order.name}
    params.n_ctx = order.context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order.threads
    params.cache_ram_mib = 0  # by default it keeps up to 8 GB of earlier prompts
    params.enable_reasoning = 0  # thoughts are paid for and thrown away
    params.api_keys = [order.key]
    params.hostnames = [HOST]
    params.port = 0
    params.ui = params.endpoint_slots = params.warmup = False
    params.offline = True
    params.verbosity = 2
    server = xllamacpp.Server(params)
    report({"url": f"{server.listening_address}/v1"})
    threading.Event().wait()


def _llama_cpp(order: Order, report: Report) -> None:
    from llama_cpp.server.app import create_app  # noqa: PLC0415 - an extra
    from llama_cpp.server.settings import ModelSettings, ServerSettings  # noqa: PLC0415

    sees: dict[str, Any] = {}
    if order.projector is not None:
        sees = {"clip_model_path": order.projector, "chat_format": "mtmd"}
    app = create_app(
        # an interrupted stream would end as if it were whole
        server_settings=ServerSettings(api_key=order.key, interrupt_requests=False),
        model_settings=[
            ModelSettings(
                model=order.model,
                model_alias=order.name,
                n_ctx=order.context_tokens,
                n_threads=order.threads,
                n_threads_batch=order.threads,
                verbose=False,
                **sees,
            )
        ],
    )
    uvicorn: Any = importlib.import_module("uvicorn")  # comes with the extra
    listener = socket.create_server((HOST, 0))
    report({"url": f"http://{HOST}:{listener.getsockname()[1]}/v1"})
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


ENGINES: Final[dict[str, Callable[[Order, Report], None]]] = {"xllamacpp": _xllamacpp, "llama_cpp": _llama_cpp}
"""By the name of the package; the first that is installed is taken."""


def _say(out: TextIO, report: dict[str, str]) -> None:
    out.write(json.dumps(report) + "\n")
    out.flush()


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it was asked for
        os._exit(1)
    # prctl knows the thread that started us, which need not be the last of its process
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()

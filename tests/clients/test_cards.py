"""The one module of the dashboard cards, which the component serves, is what its sources say."""

import hashlib
from pathlib import Path

from npm_packages import installed, names_no_registry, run

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "clients" / "cards"
MODULE = Path("custom_components", "blikk", "frontend", "blikk-cards.js")


def test_the_module_was_built_from_these_sources() -> None:
    digest = hashlib.sha256()
    for path in sorted((CARDS / "src").iterdir(), key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    head = (ROOT / MODULE).read_text(encoding="utf-8")[:300]
    assert digest.hexdigest() in head, "in clients/cards: npm ci && npm run build"


def test_the_lock_names_no_registry() -> None:
    assert names_no_registry(CARDS)


def test_building_it_again_gives_the_same_and_tells_when_it_would_not(tmp_path: Path) -> None:
    folder = tmp_path / "clients" / "cards"
    folder.mkdir(parents=True)
    for name in ("build.mjs", "package.json", "src"):
        (folder / name).symlink_to(CARDS / name)
    (folder / "node_modules").symlink_to(installed(CARDS))
    module = tmp_path / MODULE
    module.parent.mkdir(parents=True)
    module.write_bytes((ROOT / MODULE).read_bytes())

    def check() -> tuple[int, str]:
        done = run(folder, "node", "--preserve-symlinks", "--preserve-symlinks-main", "build.mjs", "--check")
        return done.returncode, done.stderr

    assert check() == (0, "")
    module.write_bytes(module.read_bytes() + b"// changed by hand\n")
    code, said = check()
    assert code == 1
    assert "npm run build" in said

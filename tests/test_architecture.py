"""docs/architecture.md is held against the tree: every module is named there, and nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = ("spaces", "search", "storage")
ONE_PAGE = 60  # lines beside the tree, which has one for each module


def named_in_the_page() -> set[str]:
    """The paths in the page's tree: a line `name.py  what it is`, folders end in a slash and indent what is inside."""
    tree = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert tree, "the page has no ```text block with the tree"
    paths: set[str] = set()
    folders: list[str] = []
    for line in tree[1].splitlines():
        name = line.split()[0] if line.strip() else ""
        if not name.endswith((".py", "/")):
            continue
        level = (len(line) - len(line.lstrip())) // 2
        del folders[level:]
        paths.add("/".join([*folders, name.rstrip("/")]))
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
    return paths


def in_the_tree() -> set[str]:
    """Packages and modules; a package's `__init__` and `__main__` are the package, migrations are one entry."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            inside = path.relative_to(ROOT)
            if inside.parts[:3] == ("storage", "database", "migrations"):
                found.add("storage/database/migrations")
            else:
                found.add((inside.parent if path.name in ("__init__.py", "__main__.py") else inside).as_posix())
    return found


def test_every_module_is_named() -> None:
    assert in_the_tree() - named_in_the_page() == set()


def test_everything_named_exists() -> None:
    assert {path for path in named_in_the_page() if not (ROOT / path).exists()} == set()


def test_files_mentioned_in_the_text_exist() -> None:
    mentioned = re.findall(r"`((?:spaces|search|storage|docs|tests|benchmarks|examples)/[\w./-]*)`", PAGE)
    assert {path for path in mentioned if not (ROOT / path).exists()} == set()


def test_the_page_stays_one_page() -> None:
    prose = re.sub(r"```text\n(.*?)```", "", PAGE, flags=re.DOTALL)
    assert len(prose.splitlines()) <= ONE_PAGE

"""docs/architecture.md names every room and nothing that does not exist; a file says what it is in its first line."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = ("spaces", "search", "storage")
ONE_PAGE = 80  # lines
MOST_FILES = 16  # in one room
MOST_LAYERS = 6  # of one package


def named_in_the_page() -> set[str]:
    """The paths in the page's tree: a line `name/  what it is`, indented below the folder that holds it."""
    tree = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert tree, "the page has no ```text block with the tree"
    paths: set[str] = set()
    folders: list[str] = []
    for line in tree[1].splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        del folders[level:]
        folders.append(line.split()[0].rstrip("/"))
        paths.add("/".join(folders))
    return paths


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [path for path in found if path.parent.name != "versions"]


def rooms() -> set[str]:
    return {path.parent.relative_to(ROOT).as_posix() for path in sources()} | {"spaces/presets"}


def test_every_room_is_named_and_nothing_else() -> None:
    assert named_in_the_page() == rooms()


def test_files_mentioned_in_the_text_exist() -> None:
    mentioned = re.findall(r"`((?:spaces|search|storage|docs|tests|benchmarks|examples)/[\w./-]*)`", PAGE)
    assert {path for path in mentioned if not (ROOT / path).exists()} == set()


def test_the_page_stays_one_page() -> None:
    assert len(PAGE.splitlines()) <= ONE_PAGE


def test_a_file_says_what_it_is_in_its_first_line() -> None:
    silent = {path.relative_to(ROOT).as_posix() for path in sources() if not _first_line(path)}
    assert silent - {"search/cli/__main__.py"} == set()


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def test_no_room_is_crowded() -> None:
    files = [path.parent.relative_to(ROOT).as_posix() for path in sources() if path.name != "__init__.py"]
    assert {room: files.count(room) for room in rooms() if files.count(room) > MOST_FILES} == {}


def test_the_order_of_rooms_is_whole_and_short() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    orders = [contract for contract in contracts if "containers" in contract]
    assert {contract["name"] for contract in orders if not contract.get("exhaustive")} == set()
    assert {contract["name"] for contract in orders if len(contract["layers"]) > MOST_LAYERS} == set()
    assert {container for contract in orders for container in contract["containers"]} >= set(PACKAGES)


LONGEST = 250  # lines of a module of host and worker
MOST_FIELDS = 7  # that a class is built with


@pytest.mark.parametrize("room", ["host", "worker"])
def test_no_module_of_host_and_worker_is_long(room: str) -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "search" / room).glob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_class_is_built_with_many_fields() -> None:
    rooms = ("host", "worker", "studies", "commands", "cluster")
    trees = {p: ast.parse(p.read_text()) for room in rooms for p in (ROOT / "search" / room).glob("*.py")}
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert {c.name: _built_with(c) for c in classes if _built_with(c) > MOST_FIELDS} == {}


def _built_with(node: ast.ClassDef) -> int:
    """How many fields a dataclass has, or arguments an `__init__`; later, derived ones do not count."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            return len(method.args.args) - 1 + len(method.args.kwonlyargs)
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
    return sum("init=False" not in ast.unparse(field) and "ClassVar" not in ast.unparse(field) for field in fields)


PRIVATE = re.compile(
    r"\boptuna(_dashboard)?(\.\w+)*\._\w+|from optuna[\w.]* import .*\b_\w+"
    r"|\b(?:trial|study|storage)\._(?:trial_id|study_id|storage|backend)\b"
)


def test_private_names_of_optuna_stand_in_few_files() -> None:
    using = [path.relative_to(ROOT).as_posix() for path in sources() if PRIVATE.search(path.read_text())]
    assert len(using) <= 4, using

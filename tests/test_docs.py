"""The documentation is complete and holds nothing that is gone: commands, options, settings, axes, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

import search
from search.api import reference
from search.cli import app
from spaces import preset_names
from spaces.catalogue import COMMAND, markdown
from storage.studies.config import declared

ROOT = Path(__file__).parents[1]
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(command: Any, name: str = "marsearch") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for key, below in inner.items():
        yield from commands(below, f"{name} {key}")


CLI = dict(commands(typer.main.get_command(app)))


def section(name: str) -> str:
    """The text under the heading of a command."""
    found = re.search(rf"^## {re.escape(name)}$(.*?)(?=^## |\Z)", COMMANDS, re.DOTALL | re.MULTILINE)
    assert found, f"docs/commands.md has no section '## {name}'"
    return found[1]


def options(command: Any) -> set[str]:
    long = {text for p in command.params for text in (*p.opts, *p.secondary_opts) if text.startswith("--")}
    return long - {"--help"}


@pytest.mark.parametrize("name", CLI)
def test_options_of_each_command_are_documented(name: str) -> None:
    documented = set(re.findall(r"`(--[a-z-]+)", section(name)))
    assert documented == options(CLI[name])


@pytest.mark.parametrize("name", CLI)
def test_usage_line_names_the_arguments(name: str) -> None:
    usage = next(line for line in section(name).splitlines() if line.startswith("    "))
    arguments = [p.metavar.strip("[]") for p in CLI[name].params if not p.opts[0].startswith("-")]
    words = usage.replace("[", " ").replace("]", " ").split()
    assert words[: len(name.split()) + len(arguments)] == name.split() + arguments


@pytest.mark.parametrize("name", CLI)
def test_choices_of_each_option_are_documented(name: str) -> None:
    text = section(name)
    for parameter in CLI[name].params:
        kind = parameter.type_descriptor.annotation
        for choice in get_args(kind) if get_origin(kind) is Literal else ():
            assert choice in text


@pytest.mark.parametrize("name", [name for name in CLI if name != "marsearch run"])
def test_defaults_of_each_option_are_documented(name: str) -> None:
    cells = dict(re.findall(r"^\| `(--[a-z-]+)[^|]*` \| ([^|]*) \|", section(name), re.MULTILINE))
    plain = {p.opts[0]: str(p.default) for p in CLI[name].params if type(p.default) in (int, float, str)}
    assert {option: cells.get(option) for option in plain} == plain


def test_the_options_of_a_study_are_documented_as_they_are_declared() -> None:
    rows = re.findall(r"^\| `(--[a-z-]+) ([^`]*)` \| ([^|]*) \|", section("marsearch create"), re.MULTILINE)
    options = [field for field in declared("fixed", "changeable", "initial") if field.name != "space"]
    assert [row[0] for row in rows] == ["--data", "--space", *(field.option for field in options)]
    words = {option: default for option, _, default in rows}
    for field in options:
        assert words[field.option] == str(field.default) or field.default is None


def test_no_command_is_documented_that_is_gone() -> None:
    assert set(re.findall(r"^## (marsearch .*)$", COMMANDS, re.MULTILINE)) == set(CLI)


def test_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in CLI if f"`{name}" not in readme] == []


def test_every_setting_is_documented() -> None:
    pattern = re.compile(r"\bMARSEARCH_[A-Z]+(?:_[A-Z]+)*\b")
    sources = [p.read_text() for package in ("spaces", "search", "storage") for p in (ROOT / package).rglob("*.py")]
    used = {name for text in sources for name in pattern.findall(text)}
    page = (ROOT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"^\| `(MARSEARCH_[A-Z_]+)`", page, re.MULTILINE))
    assert documented == used


def test_the_page_of_every_axis_is_what_the_recipe_says() -> None:
    written = (ROOT / "docs" / "space.md").read_text()
    assert written == markdown(), f"the recipe's axes have changed; write the page anew: {COMMAND}"


def test_the_page_on_python_is_what_the_docstrings_say() -> None:
    written = (ROOT / "docs" / "python.md").read_text()
    assert written == reference.markdown(), f"names for Python have changed; write the page anew: {reference.COMMAND}"


def test_every_public_name_is_on_the_page() -> None:
    assert set(reference.ORDER) == set(search.__all__)
    page = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in search.__all__ if f"\n## {name}\n" not in page] == []


def test_every_preset_is_described() -> None:
    page = (ROOT / "docs" / "space-file.md").read_text()
    prefixes = re.findall(r"`([a-z0-9]+-)\.\.\.`", page)
    assert [name for name in preset_names() if f"`{name}`" not in page and not name.startswith(tuple(prefixes))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert [name for name in pages if f"docs/{name}" not in readme] == []


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 100


def test_contributing_names_files_that_are_there() -> None:
    named = re.findall(r"`((?:search|spaces|storage|docs|tests)/[\w./]*)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []

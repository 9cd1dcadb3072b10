"""What the README tells a person to type."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def folder_commands() -> list[list[str]]:
    """The words behind ``marsearch`` of the four commands from a folder to PNGs, as they stand there."""
    section = (ROOT / "README.md").read_text("utf-8").split("## Your own images, in five commands")[1].split("\n## ")[0]
    lines = [line.split() for line in section.splitlines() if line.startswith("    ")]
    assert (len(lines), lines[0][:2]) == (5, ["pip", "install"])
    return [words[1:] for words in lines[1:]]

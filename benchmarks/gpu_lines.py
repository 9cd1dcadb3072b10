"""What the parts of `gpu.py` find out, a line each: written as soon as it is known, so that a cut costs one line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding.

    part: of the benchmark. name: unique within it. passed: None for a measurement. text: what was seen, in words.
    numbers: what the report reckons with, by name.
    """

    part: str
    name: str
    passed: bool | None = None
    text: str = ""
    numbers: dict[str, float] = field(default_factory=dict)


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """Add each line to the file and to the screen as it comes."""
    with path.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(asdict(line)) + "\n")
            file.flush()
            os.fsync(file.fileno())
            print(in_words(line), flush=True)


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, less one that was cut in the middle."""
    for text in path.read_text("utf-8").splitlines():
        try:
            yield Line(**json.loads(text))
        except ValueError:
            return


def in_words(line: Line) -> str:
    """The line as a person reads it while the benchmark runs."""
    sign = {True: "ok    ", False: "FAILED", None: "      "}[line.passed]
    return f"{sign} {line.part:<9} {line.name}{': ' if line.text else ''}{line.text}"

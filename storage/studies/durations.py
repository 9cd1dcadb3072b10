"""Durations as people write them: ``8h``, ``90m``, ``1h30m``, ``45s``, ``2d``."""

from __future__ import annotations

import re

EXAMPLES = "8h, 90m, 1h30m, 45s or 2d"
LONGEST_D = 3650  # days, so that any database can store it

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PATTERN = re.compile("".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in _UNITS))


def read_duration(text: str) -> float:
    """Seconds, above 0. Raises ValueError, saying what was expected."""
    match = _PATTERN.fullmatch(text)
    counts = [float(count or 0) for count in match.groups()] if match else []
    seconds = sum(count * unit for count, unit in zip(counts, _UNITS.values(), strict=False))
    if not 0 < seconds <= LONGEST_D * _UNITS["d"]:
        raise ValueError(f"{text}: a time of at most {LONGEST_D}d was expected, such as {EXAMPLES}")
    return seconds


def duration_text(seconds: float) -> str:
    """The same duration as it is written, in as few letters as possible."""
    words, left = "", seconds
    for unit, size in _UNITS.items():
        count, left = (left, 0) if unit == "s" else divmod(left, size)
        words += f"{count:g}{unit}" if count else ""
    return words

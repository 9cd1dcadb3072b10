"""Durations are read as people write them, and written so that they can be read."""

from __future__ import annotations

import pytest

from storage.studies.durations import duration_text, read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("2d", 172800), ("1d12h", 129600), ("0.5h", 1800)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds
    assert read_duration(duration_text(seconds)) == seconds


def test_a_duration_is_written_with_the_largest_units() -> None:
    written = {5400: "1h30m", 28800: "8h", 86401: "1d1s", 45: "45s", 0.5: "0.5s"}
    assert {seconds: duration_text(seconds) for seconds in written} == written


@pytest.mark.parametrize(
    "text", ["", "8", "h", "8 h", "0s", "30m1h", "-1h", "1h30", "٣h", "1e3s", "8H", "4000d", "9" * 400 + "s"]
)
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"a time of at most 3650d was expected, such as 8h, 90m, 1h30m, 45s or 2d"):
        read_duration(text)

"""The facts of a data set: what they hold, and that a new one changes nothing for data without it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from spaces import bind
from spaces.facts import DataFacts

PLAIN: dict[str, Any] = {"channels": 3, "height": 16, "width": 24, "class_names": ("a", "b"), "excluded": ("a",)}
COLOURED = PLAIN | {"colours": ("#FF0000", "#00FF00")}


def test_facts_without_colours_are_written_as_before_there_were_any() -> None:
    facts = DataFacts(**PLAIN)
    assert facts.model_dump() == PLAIN
    assert "colours" not in facts.model_dump_json()


def test_colours_survive_writing() -> None:
    facts = DataFacts(**COLOURED)
    assert DataFacts.model_validate_json(facts.model_dump_json()) == facts
    assert facts.model_dump() == COLOURED


@pytest.mark.parametrize("colours", [("#FF0000",), ("#FF0000", "red"), ("#FF0000", "#00ff00"), ("#FF0000",) * 3])
def test_colours_are_one_for_each_class(colours: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        DataFacts(**PLAIN | {"colours": colours})


def test_the_axes_of_a_space_know_nothing_of_colours() -> None:
    plain, coloured = (bind(DataFacts(**facts)) for facts in (PLAIN, COLOURED))
    assert {path: domain.as_text() for path, domain in plain.domains.items()} == {
        path: domain.as_text() for path, domain in coloured.domains.items()
    }

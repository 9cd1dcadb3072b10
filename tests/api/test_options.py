"""The options of a study by name, as they are declared."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from search import Study
from search.api.options import OPTIONS, StudyOptions, config_of
from search.errors import UsageError
from storage.studies.config import StudyConfig


def test_the_options_are_those_that_are_declared_with_their_types() -> None:
    hints = get_type_hints(StudyOptions)
    assert list(hints) == [field.name for field in OPTIONS]
    for field in OPTIONS:
        expected: Any = field.type
        if field.setting.from_file:
            expected = str | Path | None
        if field.setting.duration:
            expected = field.type | str
        assert hints[field.name] == expected, field.name


def test_help_shows_every_option_with_its_default() -> None:
    shown = inspect.signature(Study.create).parameters
    known = {field.name: None if field.setting.from_file else field.default for field in OPTIONS}
    assert {name: shown[name].default for name in known} == known
    assert list(shown)[:4] == ["name", "data", "storage", "home"]


def test_options_make_the_configuration_that_the_command_makes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("base: cpu\n")
    text = "base: cpu\nmodel: {depth: 2}\n"
    assert config_of("a", {}) == StudyConfig(study="a")
    assert config_of("a", {"space": "cpu", "budget_s": "1h30m"}) == StudyConfig(
        study="a", space="base: cpu\n", budget_s=5400
    )
    assert config_of("a", {"space": tmp_path / "mine.yaml"}).space == "base: cpu\n"
    assert config_of("a", {"space": text}).space == text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trails": 3}, "trails: no option of a study, these are space, sampler, pruner"),
        ({"trials": 0}, "trials=0: input should be greater than or equal to 1"),
        ({"sampler": "cmaes"}, "sampler='cmaes': input should be 'tpe', 'random' or 'grid'"),
        ({"budget_s": "soon"}, "budget_s soon: a time of at most 3650d was expected"),
        ({"budget_s": -1.0}, "budget_s=-1.0: input should be greater than 0"),
        ({"space": "nowhere.yaml"}, "space nowhere.yaml: standard, cpu, whole or a space file"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match="^" + words.replace("(", r"\(")) as refused:
        config_of("a", options)
    assert "\n" not in str(refused.value)

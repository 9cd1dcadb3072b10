"""YAML that wants to hurt: refused in one short sentence, in no time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from spaces import DataFacts, SpaceError, bind, load_recipe
from spaces.yaml_text import LARGEST_TEXT, LONGEST_SENTENCE
from support.cost import cpu_seconds

FACTS = DataFacts(channels=1, height=24, width=32, class_names=("background", "soil", "sand"), excluded=("background",))
LAUGHS = "a: &a [x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))

HOSTILE = {
    "aliases that multiply": (LAUGHS, "aliases"),
    "an alias of itself": ("model: &m\n  depth: *m", "aliases"),
    "a Python object": ("seed: !!python/object/apply:os.mkdir [hurt]", "tags"),
    "a Python name": ("seed: !!python/name:os.system", "tags"),
    "a tag of its own": ("seed: !hurt 1", "tags"),
    "a number that is none": ("seed: !!int hurt", "tags"),
    "a date that is none": ("seed: !!timestamp 2020-99-99", "tags"),
    "bytes": ("seed: !!binary aGk=", "tags"),
    "a number of many digits": (f"model: {{depth: {'9' * 5000}}}", "5,000 digits"),
    "a huge exponent": ("optimisation: {lr: 1e99999}", "optimisation.lr"),
    "a range of many digits": (f"model: {{depth: {{low: 2, high: {'9' * 5000}}}}}", "5,000 digits"),
    "a tiny step": ("optimisation: {lr: {low: 1e-4, high: 1e-2, step: 1e-300}}", "optimisation.lr"),
    "lists in lists": ("model: " + "[" * 30_000 + "]" * 30_000, "deeper"),
    "mappings in mappings": ("model: " + "{a: " * 9_000 + "1" + "}" * 9_000, "deeper"),
    "indented for ever": ("\n".join(f"{' ' * i}a:" for i in range(400)), "deeper"),
    "too many keys": ("model: {" + ", ".join(f"k{i}: 1" for i in range(9_000)) + "}", "model.k0"),
    "the same key for ever": ("model: {" + "k: 1, " * 15_000 + "}", "twice"),
    "a key that is no word": ("? [a, b]\n: 1", "unhashable"),
    "a merge": ("<<: {seed: 3}", "<<"),
    "too long": ("a" * (LARGEST_TEXT + 1), "characters"),
    "a long list": ("model: {depth: [[" + "1, " * 20_000 + "]]}", "model.depth"),
    "a long word": (f"model: {{norm: {'x' * 90_000}}}", "model.norm"),
    "a family that is none": ("model: {family: [[a]]}", "model.family"),
    "nothing printable": ('"\\e[2J": 1', "\\x1b[2J"),
    "half a character": ('"\\uD800": 1', "\\ud800"),
    "two lines": ('"a\\nb": 1', "a b"),
}


@pytest.fixture(scope="module")
def longest_text() -> float:
    """Seconds in which the longest honest text is parsed."""
    text = "".join(f"key{number}: 1\n" for number in range(LARGEST_TEXT // 11))
    assert LARGEST_TEXT * 0.9 < len(text) <= LARGEST_TEXT
    return cpu_seconds(lambda: yaml.safe_load(text), tries=1)


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_yaml_is_refused_shortly_and_soon(
    case: str, longest_text: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, word = HOSTILE[case]

    def refused() -> None:
        for read in (lambda: bind(FACTS, text, name="space.yaml"), lambda: load_recipe(text, "recipe.yaml")):
            with pytest.raises(SpaceError) as caught:
                read()
            said = str(caught.value)
            assert len(said) <= LONGEST_SENTENCE
            assert said.isprintable()
            assert (said.startswith("space.yaml: ") and word in said) or said.startswith("recipe.yaml: ")

    assert cpu_seconds(refused, tries=1) < 10 * longest_text
    assert os.listdir(tmp_path) == []  # noqa: PTH208

"""YAML as people write it: numbers like ``1e-3`` are numbers, ``no`` is a word, and nothing is executed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import ValidationError

from spaces.errors import SpaceError
from spaces.recipe import Recipe
from spaces.recipe.part import Part
from spaces.tree import Optional, Section, children

LARGEST_TEXT = 100_000  # characters; a recipe has about 1,000, with 255 class factors under 60,000
DEEPEST = 30  # levels of nesting; a space file has 6
LONGEST_NUMBER = 40  # digits; a seed has 19
LONGEST_SENTENCE = 600  # characters of a message, whatever it quotes


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars on PyYAML's 1.1 parser: no tags, aliases or double keys, only true and false are booleans."""

    _depth = 0
    # Resolvers are looked up per class: copy them before they are changed.
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith(":null")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        if getattr(self.peek_event(), "tag", None) is not None:  # type: ignore[no-untyped-call]
            raise yaml.YAMLError("tags (!name) are not allowed")
        if self._depth == DEEPEST:
            raise yaml.YAMLError(f"nested deeper than {DEEPEST} levels")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)  # which refuses keys that are no plain values
        if len(mapping) < len(node.value):
            keys = Counter(str(self.construct_object(key, deep=True)) for key, _ in node.value)
            doubled = sorted(key for key, times in keys.items() if times > 1)
            raise yaml.YAMLError(f"{', '.join(doubled)} stands twice")
        return mapping

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > LONGEST_NUMBER:
            raise yaml.YAMLError(f"a number of {len(node.value):,} digits, at most {LONGEST_NUMBER} are read")
        return int(node.value)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)


def load_mapping(text: str, name: str) -> dict[str, Any]:
    """Read a YAML mapping.

    name: what the text is called in messages (a file name).
    Raises SpaceError when the text is no YAML, no mapping, or longer than LARGEST_TEXT.
    """
    if len(text) > LARGEST_TEXT:
        raise SpaceError(f"{name}: {len(text):,} characters of YAML, at most {LARGEST_TEXT:,} are read")
    try:
        # _Loader derives from SafeLoader: it builds plain values only.
        value = yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, RecursionError) as error:
        raise SpaceError(sentence(f"{name}: not readable as YAML ({error})")) from error
    value = {} if value is None else value
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SpaceError(f"{name}: a mapping of sections was expected (model:, loss:, ...), got {type(value).__name__}")
    return value


def same_mapping(one: str, other: str) -> bool:
    """Whether two YAML texts say the same, comments and order aside. Raises SpaceError for what is no mapping."""
    first, second = (json.dumps(load_mapping(text, "space file"), sort_keys=True) for text in (one, other))
    return first == second


def load_recipe(text: str, name: str = "recipe") -> Recipe:
    """Read a recipe; fields left out, a family too, have their defaults. Raises SpaceError naming the dotted path."""
    try:
        return Recipe.model_validate(_with_families(Recipe, load_mapping(text, name)))
    except ValidationError as error:
        raise SpaceError(sentence(f"{name}: {first_fault(error)}{_instead(error)}")) from error


def _instead(error: ValidationError) -> str:
    """What to write for a field that a recipe does not have; "" where the first fault is another one."""
    fault = error.errors()[0]
    if fault["type"] != "extra_forbidden":
        return ""
    *above, last = _steps(fault["loc"])
    part: Any = Recipe().model_dump(mode="json")
    for step in above:
        part = part.get(step) if isinstance(part, dict) else None
    close = get_close_matches(last, part if isinstance(part, dict) else ())
    return f": did you mean {close[0]}?" if close else ": leave it out"


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe with every field, such that `load_recipe` gives an equal one."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def first_fault(error: ValidationError) -> str:
    """The first complaint of pydantic in one sentence with its dotted path and what came."""
    fault = error.errors()[0]
    path = ".".join(_steps(fault["loc"]))
    came = fault.get("input")
    shown = f" (got {came!r})" if isinstance(came, (bool, int, float, str)) else ""
    return f"{path}: {fault['msg']}{shown}" if path else f"{fault['msg']}"


def sentence(text: str) -> str:
    """The text as one line that a terminal can show: short, and without control characters of what it quotes."""
    line = " ".join(text.split())
    shown = line if len(line) <= LONGEST_SENTENCE else f"{line[: LONGEST_SENTENCE - 100]} ... {line[-80:]}"
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in shown)


def _with_families(part: type[Part], mapping: dict[str, Any]) -> dict[str, Any]:
    """The mapping with the default family where a union's part does not name its own."""
    whole = dict(mapping)
    for name, node in children(part):
        inner = whole.get(name)
        if not isinstance(inner, dict):
            continue
        if isinstance(node, Optional):
            whole[name] = _with_families(node.part, inner)
        elif isinstance(node, Section):
            named = ({node.discriminator: node.default} if node.discriminator else {}) | inner
            family = str(named.get(node.discriminator, ""))
            whole[name] = _with_families(node.options[family], named) if family in node.options else named
    return whole


def _steps(location: tuple[int | str, ...]) -> Iterator[str]:
    """The steps of a dotted path: pydantic's, less the names of the families that it passes through."""
    nodes, families = dict(children(Recipe)), dict[str, type[Part]]()
    for step in map(str, location):
        if step in families:
            nodes, families = dict(children(families[step])), {}
            continue
        yield step
        match nodes.get(step):
            case Section(discriminator="", options=options):
                nodes = dict(children(options[""]))
            case Section(options=options):
                nodes, families = {}, options
            case Optional(part=part):
                nodes = dict(children(part))
            case _:
                nodes = {}

"""YAML as text, lists and mappings: every scalar is the text that stands there, so that no name becomes a number."""

from __future__ import annotations

from storage.errors import DataError

LARGEST = 200_000  # bytes; 255 classes with all that can be said of them take about 30,000
DEEPEST = 8  # levels; a list of classes has 4

Tree = str | list["Tree"] | dict[str, "Tree"]


def read_tree(text: str, name: str) -> Tree:
    """The YAML document. Raises DataError for anything else, aliases and a key that stands twice included."""
    import yaml

    try:
        _check_events(text, name)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        return "" if node is None else _tree(node, name)
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{name} is not readable as YAML ({' '.join(str(error).split())[:200]})") from error


def _check_events(text: str, name: str) -> None:
    """Raise DataError for aliases, and at the first level that is too deep: thousands would take PyYAML minutes."""
    import yaml

    level = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise DataError(f"{name} has an alias (*{event.anchor}); write out what it stands for")
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > DEEPEST:
            raise DataError(f"{name} is nested deeper than {DEEPEST} levels; expected classes as a list or by name")


def _tree(node: object, name: str) -> Tree:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item, name) for item in node.value]
    assert isinstance(node, yaml.MappingNode)
    made: dict[str, Tree] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise DataError(f"{name} has a key that is no word (line {key.start_mark.line + 1}); expected plain words")
        if key.value in made:
            raise DataError(f"{name} says {key.value} twice (line {key.start_mark.line + 1}); keep one of them")
        made[key.value] = _tree(value, name)
    return made

"""The page docs/python.md: every public name, written from signatures and docstrings.

python -m search.api.reference > docs/python.md
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

import search
from search.api.options import OPTIONS

COMMAND: Final = "python -m search.api.reference > docs/python.md"
ORDER: Final = ("Study", "Status", "Trial", "Leaderboard", "Picture", "load_bundle", "TrainedNetwork")
HEAD: Final = f"""# Python

```python
from search import Study, load_bundle

study = Study.create("mars", data="train.npz", trials=40)
study.work(workers=2)  # progress below the cell, or on the terminal
study.leaderboard()
study.export("best")
labels = load_bundle("best").predict(images)
```

The commands of `marsearch` do the same: they are a thin layer over what stands here, and both see the same studies.
[A notebook](../examples/first_study.ipynb) goes the whole way. Written by `{COMMAND}`.

What goes wrong is an exception whose message is the sentence that the command would print: `SearchError` of
`search.errors`, `StorageError` of `storage.errors`, `SpaceError` of `spaces`, and what is below them. All has types.
"""
OPTIONS_HEAD: Final = """| option | default | meaning |
|---|---|---|
"""
OPTIONS_TAIL: Final = """\
A time is a text, or a number of seconds. `space` may be the text of a [space file](space-file.md), too.
"""


def markdown() -> str:
    """The page."""
    return "\n".join([HEAD, *(text for name in ORDER for text in _chapter(name, getattr(search, name)))])


def _chapter(name: str, found: Any) -> Iterator[str]:
    yield f"## {name}\n"
    if not inspect.isclass(found):
        yield _entry(name, found)
        return
    yield f"{inspect.getdoc(found)}\n"
    for member, value in vars(found).items():
        if not member.startswith("_") and (callable(value) or isinstance(value, classmethod | property)):
            yield f"### {name}.{member}\n"
            yield _entry(f"{name}.{member}", value)
            if (name, member) == ("Study", "create"):
                yield _options()


def _entry(name: str, found: Any) -> str:
    """A signature and what the docstring says."""
    if isinstance(found, property):
        returns = inspect.signature(_getter(found)).return_annotation
        return f"```python\n{name}: {returns}\n```\n\n{inspect.getdoc(found)}\n"
    function = found.__func__ if isinstance(found, classmethod) else found
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    return f"```python\n{name}{_text(signature.replace(parameters=own))}\n```\n\n{inspect.getdoc(function)}\n"


def _text(signature: inspect.Signature) -> str:
    """The signature as it is written: the annotations are texts."""
    words, star = list[str](), False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            words, star = [*words, "*"], True
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        words.append(f"{parameter.name}: {parameter.annotation}{default}")
    line = f"({', '.join(words)}) -> {signature.return_annotation}"
    if len(line) <= 90:
        return line
    lines = "".join(f"    {word},\n" for word in words)
    return f"(\n{lines}) -> {signature.return_annotation}"


def _options() -> str:
    defaults = [None if field.setting.from_file else field.default for field in OPTIONS]
    shown = ["-" if default is None else str(default) for default in defaults]
    rows = [f"| `{field.name}` | {default} | {field.help} |" for field, default in zip(OPTIONS, shown, strict=True)]
    return OPTIONS_HEAD + "\n".join(rows) + f"\n\n{OPTIONS_TAIL}"


def _getter(found: property) -> Any:
    assert found.fget is not None
    return found.fget


if __name__ == "__main__":
    print(markdown(), end="")

"""Jinja2 templates of our pages, with autoescape."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from search.host.progress import clock


def render(template: str, **values: Any) -> Markup:
    """The rendered template; every value is escaped."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 - made with autoescape


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("search.dashboard.board"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"score": _score, "clock": clock, "gain": _gain, "age": _age, "tenth": _tenth}
    return environment


def _score(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "-"


def _gain(value: float) -> str:
    return f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")


def _age(seconds: float) -> str:
    """A time that has passed, in its largest unit."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _tenth(share: float | None) -> str:
    """The tenth that a share lies in, for its shade; "" for none."""
    return "" if share is None or not math.isfinite(share) else str(min(9, max(0, int(share * 10))))

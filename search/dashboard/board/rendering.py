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
    environment.filters |= {"score": _score, "clock": clock}
    return environment


def _score(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "-"

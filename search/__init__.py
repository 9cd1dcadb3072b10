"""Trying: training, the service around it, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.outcome.bundle import load_bundle

__all__ = ["load_bundle"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: torch takes seconds, and `marsearch --help` does not need it.
    if name == "load_bundle":
        from search.outcome.bundle import load_bundle

        return load_bundle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

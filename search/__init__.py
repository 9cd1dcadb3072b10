"""Trying: training, the service around it, and what comes out.

`from search import Study, load_bundle` is what other programs use; docs/python.md describes it.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api.leaderboard import Leaderboard
    from search.api.network import TrainedNetwork, load_bundle
    from search.api.picture import Picture
    from search.api.status import Status
    from search.api.study import Study
    from search.api.trial import Trial

__all__ = ["Leaderboard", "Picture", "Status", "Study", "TrainedNetwork", "Trial", "load_bundle"]

_HOMES = {
    "Leaderboard": "leaderboard",
    "Picture": "picture",
    "Status": "status",
    "Study": "study",
    "TrainedNetwork": "network",
    "Trial": "trial",
    "load_bundle": "network",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: torch and Optuna take seconds, and `marsearch --help` needs neither.
    if name in _HOMES:
        with warnings.catch_warnings():
            # Optuna loads tqdm, which misses its widgets in a notebook; its bars are not used here.
            warnings.filterwarnings("ignore", message="IProgress not found")
            return getattr(import_module(f"search.api.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

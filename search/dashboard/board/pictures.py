"""What a page needs to draw the validation images of several trials, with layers that can be switched."""

from __future__ import annotations

import json
from typing import Any

from search.dashboard.board.panels import Panel
from search.dashboard.board.snapshot import LeaderboardEntry, StudySnapshot
from search.outcome.pictures.colours import WRONG, WRONG_NOT_COUNTED
from search.outcome.pictures.label_maps import sheet_colours


def viewer(seen: StudySnapshot) -> str:
    """The pictures of the trials of the leaderboard as JSON; "" when there is none that can be cut into cells.

    Images come from the first trial's panel. A trial without label maps, of an older version, is shown by its panel.
    """
    entries = [entry for entry in seen.leaderboard.entries if entry.panel is not None and entry.panel.grid is not None]
    if not entries:
        return ""
    first = entries[0].panel
    assert first is not None
    assert first.grid is not None
    told = {
        "colours": sheet_colours(seen.facts),
        "excluded": list(seen.facts.excluded_labels),
        "wrong": [WRONG, WRONG_NOT_COUNTED],
        "cell": [first.grid.cell_width, first.grid.cell_height],
        "images": [first.corner(sample, "image") for sample in range(first.samples)],
        "truth": [first.corner(sample, "truth") for sample in range(first.samples)],
        "trials": [_trial(entry, entry.panel) for entry in entries if entry.panel is not None],
    }
    return json.dumps(told, separators=(",", ":"))


def _trial(entry: LeaderboardEntry, panel: Panel) -> dict[str, Any]:
    score = entry.row.value if entry.row.miou is None else entry.row.miou
    return {
        "number": entry.row.number,
        "score": None if score is None else round(score, 4),
        "panel": panel.url,
        "prediction": [panel.corner(sample, "prediction") for sample in range(panel.samples)],
        "error": [panel.corner(sample, "error") for sample in range(panel.samples)],
        "labels": None
        if panel.labels is None
        else {
            "url": panel.labels.url,
            "epochs": panel.labels.sheet.epochs,
            "sizes": panel.labels.sheet.sizes,
            "column": panel.labels.sheet.column,
            "counted": panel.labels.counted,
        },
    }

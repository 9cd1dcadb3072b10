"""A notebook: its display of progress, and the one in examples/ from top to bottom."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import IPython.display
import nbformat
import pytest

from search.api.notebook import SENTENCES, NotebookProgress, as_html
from search.host.progress import ShownCounts, Standing

NOTEBOOK = Path(__file__).parents[2] / "examples" / "first_study.ipynb"
HOSTILE = "<img src=x onerror='alert(1)'>"


def standing(**changes: Any) -> Standing:
    known = {
        "study": "mars",
        "counts": ShownCounts(complete=3, pruned=1, failed=0, running=2, ending=1, waiting=4),
        "target": 10,
        "best": "best 0.6123, trial 2 (best constant answer 0.2500)",
        "left": "about 3 min 20 s left",
        "trainings": (("cpu-0", 5, 3, 12, "mIoU 0.5012"), ("cpu-1", 6, 11, 12, "mIoU 0.6001")),
        "held": "",
    }
    return Standing(**known | changes)


def test_the_display_says_what_the_terminal_says() -> None:
    page = as_html(standing())
    for words in (
        "4 of 10 trials",
        "3 complete, 1 pruned, 0 failed, 2 running, 1 ending, 4 waiting",
        "about 3 min 20 s left",
    ):
        assert words in page
    assert "trial 6, epoch 11 of 12, mIoU 0.6001" in page
    assert "width: 40.0%" in page
    assert "width: 91.7%" in page


def test_no_name_and_no_sentence_becomes_an_element() -> None:
    bad = {"study": HOSTILE, "best": HOSTILE, "held": HOSTILE, "trainings": ((HOSTILE, 1, 1, 2, HOSTILE),)}
    page = as_html(standing(**bad), [HOSTILE])
    assert "<img" not in page
    assert page.count(escape(HOSTILE)) == 6


class Shown:
    """Instead of a notebook's front end: what is displayed, and what that is replaced by."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.displays = 0

    def display(self, html: IPython.display.HTML, *, display_id: bool) -> Shown:
        self.displays += 1
        self.update(html)
        return self

    def update(self, html: IPython.display.HTML) -> None:
        self.pages.append(html.data)


def test_there_is_one_display_that_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown()
    monkeypatch.setattr(IPython.display, "display", shown.display)
    progress = NotebookProgress("mars")
    with progress.messages("host"), progress:
        for number in range(SENTENCES + 2):
            progress.message(f"sentence {number}.")
        progress._show()  # the same again
    assert (shown.displays, len(shown.pages)) == (1, SENTENCES + 2)
    assert "sentence 1." not in shown.pages[-1]
    assert shown.pages[-1].index("sentence 2.") < shown.pages[-1].index(f"sentence {SENTENCES + 1}.")


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)
    assert cells[0].source.startswith("# A first study")


@pytest.mark.whole
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("MARSEARCH_HOME", raising=False)
    notebook = nbformat.read(NOTEBOOK, 4)
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert len(pages) == 2  # progress and leaderboard
    assert "2 of 2 trials" in pages[0]
    assert "best constant answer" in pages[1]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert [base64.b64decode(picture)[:4] for picture in pictures] == [b"\x89PNG"] * 2
    assert any("{'ground': " in output.get("data", {}).get("text/plain", "") for output in outputs)
    assert (tmp_path / "best" / "manifest.json").is_file()

"""Our page: what it says, how large it may grow, and that no name becomes part of its text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from search.dashboard import view as view_module
from search.dashboard.board.chart import draw_chart
from search.dashboard.board.curves import thinned
from search.dashboard.board.scored import ScoredTrial
from search.dashboard.board.snapshot import MOST, Board
from search.dashboard.view import ViewStorage
from search.outcome.pictures.panel import draw_panel
from spaces import DataFacts
from storage.process_identity import this_process
from storage.store import Store
from storage.studies.hosts import DeviceLoad, HostSigns, TrainingProgress, heartbeat
from storage.studies.studies import create_study
from support.studies import add_host

from .conftest import PASSWORD, VIEWER, Client, plan

Train = Callable[..., Any]
EVIL = '<script>alert("x")</script>\'&"'


class Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


HERE = this_process()


def come(store: Store, name: str, *training: tuple[int, int, int], **changes: Any) -> None:
    doing = [TrainingProgress(trial=trial, epoch=epoch, epochs=epochs) for trial, epoch, epochs in training]
    add_host(store, training=doing, **{"id": name, "name": EVIL, "device": "cuda:0", "workers": 2} | changes)


def picture(store: Store, trial: Any, folder: Path) -> str:
    facts = DataFacts.model_validate_json(plan().facts)
    masks = np.zeros((2, facts.height, facts.width), dtype=np.uint8)
    file = folder / "00_panel.png"
    draw_panel(file, images=masks, truth=masks, prediction=masks, facts=facts, ignore_label=None, title="t")
    kept = optuna.artifacts.upload_artifact(artifact_store=store.artifacts, file_path=str(file), study_or_trial=trial)
    return str(kept)


def test_the_page_shows_trials_pictures_and_workers(
    client: Client, store: Store, study: optuna.Study, train: Train, tmp_path: Path
) -> None:
    train(TrialState.COMPLETE, 0.3)
    train(TrialState.COMPLETE, 0.9, over=1.0)  # violates a constraint
    train(TrialState.PRUNED)
    best = train(TrialState.RUNNING)
    kept = picture(store, best, tmp_path)
    best.set_user_attr("miou", 0.5)
    study.tell(best, 0.5)
    come(store, "a", (3, 4, 6), (5, 1, 6), process=HERE)
    come(store, "b", silent_s=600)
    come(store, "c", silent_s=90_000)
    page = client("GET", "/board/1", PASSWORD)
    text = Text(page.body)
    words = " ".join(text.words)
    for said in (
        "4 of 12",
        "0.5000",
        "epoch 4 of 6",
        "epoch 1 of 6",
        "2 of 2",
        "just now",
        "10 min",
        "1 lost",
        "may write",
    ):
        assert said in words, said
    assert "0.9000" not in words
    links = [given["href"] for tag, given in text.tags if tag == "a"]
    assert "/dashboard/studies/1/trials?numbers=3" in links
    spec = next(json.loads(given["data-spec"] or "") for _, given in text.tags if "data-spec" in given)
    assert [(trial["number"], trial["panel"]) for trial in spec["trials"]] == [(3, f"/artifacts/1/4/{kept}")]
    assert client("GET", f"/artifacts/1/4/{kept}", VIEWER).headers["content-type"] == "image/png"
    assert "read-only" in " ".join(Text(client("GET", "/board/1", VIEWER).body).words)


def test_a_study_that_has_ended_says_why(client: Client, store: Store, train: Train) -> None:
    create_study(store, plan(patience_trials=2))
    assert b"The study ends" not in client("GET", "/board/1", PASSWORD).body
    for _ in range(2):
        train(TrialState.PRUNED)
    words = " ".join(Text(client("GET", "/board/1", PASSWORD).body).words)
    assert "The study ends: no better trial in the last 2; go on with a larger --patience" in words
    assert "finished" in words


def test_no_name_becomes_part_of_the_page(client: Client, store: Store, train: Train) -> None:
    create_study(store, plan(study=EVIL))
    other = optuna.load_study(study_name=EVIL, storage=store.trials)
    other.enqueue_trial({"a": EVIL})
    train(TrialState.COMPLETE, 0.3)
    come(store, "a")
    come(store, "b", study=EVIL, process=HERE)
    for number in (1, 2):
        text = Text(client("GET", f"/board/{number}", PASSWORD).body)
        scripts = [given.get("src") for tag, given in text.tags if tag == "script"]
        assert scripts == [f"/board/{name}.js" for name in ("page", "uPlot.iife.min", "charts", "pictures")]
        assert {name for _, given in text.tags for name in given if name.startswith("on") or name == "style"} == set()
        assert EVIL in " ".join(text.words)
        assert not [tag for tag, _ in text.tags if tag in ("b", "iframe") and "rock" in text.words]


def test_the_policy_forbids_scripts_in_the_text(client: Client, open_client: Client) -> None:
    for path in ("/board/1", "/board/99"):
        policy = client("GET", path, PASSWORD).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert open_client("GET", "/").headers["location"] == "/board"
    assert open_client("GET", "/board").headers["location"] == "/board/1"


def test_the_same_page_is_not_sent_twice(client: Client, train: Train, store: Store) -> None:
    train(TrialState.COMPLETE, 0.3)
    come(store, "a", (3, 4, 6), process=HERE)
    first = client("GET", "/board/1", PASSWORD)
    assert client("GET", "/board/1", PASSWORD, if_none_match=first.headers["etag"]).status == 304
    come(store, "a", (3, 5, 6), process=HERE)
    assert client("GET", "/board/1", PASSWORD, if_none_match=first.headers["etag"]).status == 200


def test_several_studies_are_listed_and_one_is_shown_at_once(client: Client, store: Store, train: Train) -> None:
    assert client("GET", "/board", PASSWORD).headers["location"] == "/board/1"
    create_study(store, plan(study=EVIL))
    train(TrialState.COMPLETE, 0.3)
    text = Text(client("GET", "/board", PASSWORD).body)
    assert [given["href"] for tag, given in text.tags if tag == "a" and given.get("href") in ("/board/1", "/board/2")]
    words = " ".join(text.words)
    for said in ("Studies", EVIL, "mars", "0.3000", "1 of 12", "idle"):
        assert said in words, said


def test_optuna_dashboards_page_is_as_it_comes(client: Client) -> None:
    theirs = resources.files("optuna_dashboard").joinpath("index.html").read_bytes()
    assert client("GET", "/dashboard/studies/1", PASSWORD).body == theirs


def test_hosts_show_their_load_and_their_log(client: Client, store: Store) -> None:
    come(store, "a", process=HERE)
    signs = HostSigns(devices=(DeviceLoad(name="cpu", busy=0.25, used_gb=2.0, total_gb=8.0),), log=("12:00 " + EVIL,))
    heartbeat(store, "a", signs=signs)
    words = " ".join(Text(client("GET", "/board/1", PASSWORD).body).words)
    for said in ("25 %", "2.0 of 8.0 GiB", "1 lines", "12:00 " + EVIL):
        assert said in words, said


@pytest.mark.whole
def test_the_charts_get_bounded_numbers(client: Client, store: Store, train: Train) -> None:
    for number in range(30):
        train(TrialState.COMPLETE, number / 100, steps=1)
    running = train(TrialState.RUNNING)
    told = client("GET", "/board/1/curves", PASSWORD).json()
    assert told["dots"]["value"][-1] == told["best"]["value"][-1] == 0.29
    assert told["last"] == 30
    assert [curve["trial"] for curve in told["running"]] == [running.number]
    assert [len(thinned(range(count), 400)) for count in (3, 400, 10_000)] == [3, 400, 400]
    assert thinned(range(10_000), 400)[-1] == 9999
    assert client("GET", "/board/99/curves", PASSWORD).status == 404


def test_a_large_study_that_was_not_read_yet_opens_at_once(
    client: Client, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "FEW", 1)
    for _ in range(2):
        train(TrialState.COMPLETE, 0.3, steps=1)
    assert b"Reading the trials" in client("GET", "/board/1", PASSWORD).body
    assert b"Leaderboard" in client("GET", "/board/1?now=1", PASSWORD).body
    assert b"Leaderboard" in client("GET", "/board/1", PASSWORD).body


def test_what_a_trial_changes_stands_in_words(client: Client, train: Train) -> None:
    train(TrialState.COMPLETE, 0.3)
    text = Text(client("GET", "/board/1", PASSWORD).body)
    words = " ".join(" ".join(text.words).split())
    assert "what differs from baseline" in words
    assert re.search(r"lr 0\.003 \N{RIGHTWARDS ARROW} [0-9.e-]{3,7} ", words)
    assert not re.search(r"[0-9]\.[0-9]{8}", words)  # no number of many digits


def test_a_study_without_trials_has_a_page(client: Client) -> None:
    words = " ".join(Text(client("GET", "/board/1", PASSWORD).body).words)
    assert "No trial is complete yet." in words
    assert "Nobody works on this study." in words


def test_so_many_trials_are_compared_as_asked_for(view: ViewStorage, client: Client, train: Train) -> None:
    for number in range(MOST + 2):
        train(TrialState.COMPLETE, number / 100)
    board = Board(view)
    assert [leader.row.number for leader in board.look(1, 3).leaderboard.entries] == [13, 12, 11]
    assert len(board.look(1, 99).leaderboard.entries) == MOST
    assert len(board.look(1, 0).leaderboard.entries) == 5
    for query in ("top=3", "top=-1", "top=x", "top=99999999", "top="):
        assert client("GET", f"/board/1?{query}", PASSWORD).status == 200


def test_a_picture_of_another_layout_is_shown_whole(
    client: Client, store: Store, study: optuna.Study, train: Train, tmp_path: Path
) -> None:
    from PIL import Image

    trial = train(TrialState.RUNNING)
    Image.new("RGB", (300, 200)).save(tmp_path / "00_panel.png")
    optuna.artifacts.upload_artifact(
        artifact_store=store.artifacts, file_path=str(tmp_path / "00_panel.png"), study_or_trial=trial
    )
    study.tell(trial, 0.5)
    tags = Text(client("GET", "/board/1", PASSWORD).body).tags
    assert [(given["width"], given["height"]) for tag, given in tags if tag == "img"] == [("300", "200")]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"<svg onload=alert(1)>" * 9])
def test_a_file_that_is_no_picture_is_left_out(
    client: Client, store: Store, study: optuna.Study, train: Train, tmp_path: Path, content: bytes
) -> None:
    trial = train(TrialState.RUNNING)
    (tmp_path / "00_panel.png").write_bytes(content)
    optuna.artifacts.upload_artifact(
        artifact_store=store.artifacts, file_path=str(tmp_path / "00_panel.png"), study_or_trial=trial
    )
    study.tell(trial, 0.5)
    assert b"No trial with pictures yet." in client("GET", "/board/1", PASSWORD).body


@pytest.mark.parametrize("count", [1, 2, 300, 50_000])
def test_the_chart_stays_small_and_inside(count: int) -> None:
    names = (*(f"class {k} {EVIL}" for k in range(30)),)
    scored = [
        ScoredTrial(
            number=n, value=0.5, iou=(*(min(1.0, n / count + k / 100) for k in range(29)), None), best=n % 7 == 0
        )
        for n in range(count)
    ]
    drawn = draw_chart(scored[:20_000] if count > 20_000 else scored, names, ["#112233"] * 30)
    assert len(drawn) < 3_000_000
    assert len(ElementTree.fromstring(drawn).findall("path[@class='dots']")) == 24
    _, _, width, height = (float(part) for part in re.findall(r'viewBox="([^"]*)"', drawn)[0].split())
    for x, y in re.findall(r"M([0-9.]+) ([0-9.]+)h0", drawn):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height

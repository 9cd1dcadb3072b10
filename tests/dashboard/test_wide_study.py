"""A viewer who asks for the largest plots of a wide study, all at once, keeps nobody waiting: the command itself."""

from __future__ import annotations

import base64
import random
import re
import socket
import threading
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from storage.store import open_store
from storage.studies.studies import create_study
from tests.support.processes import Running, environment, marsearch_command

from .conftest import PASSWORD, VIEWER, plan

AXES = [f"axis_{number:02}" for number in range(60)]
TRIALS = 400


def fill(folder: Path) -> None:
    (folder / "runs").mkdir()
    store = open_store(f"sqlite:///{folder / 'runs' / 'marsearch.db'}", str(folder / "runs" / "artifacts"))
    create_study(store, plan())
    chance = random.Random(0)
    space = {name: FloatDistribution(0, 1) for name in AXES}
    optuna.load_study(study_name="mars", storage=store.trials).add_trials([
        create_trial(value=chance.random(), distributions=space, params={name: chance.random() for name in AXES})
        for _ in range(TRIALS)
    ])  # fmt: skip
    store.close()


def ask(url: str, password: str) -> tuple[int, bytes]:
    """Status and body."""
    request = urllib.request.Request(url)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"me:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.long
def test_health_and_the_board_answer_beside_the_largest_plots(tmp_path: Path) -> None:
    fill(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = environment(MARSEARCH_DASHBOARD_PASSWORD=PASSWORD, MARSEARCH_DASHBOARD_VIEWER_PASSWORD=VIEWER)
    command = marsearch_command("dashboard", "--port", port)
    with Running(command, cwd=tmp_path, env=variables) as server:
        server.wait_for_text(f"http://127.0.0.1:{port}")
        address = f"http://127.0.0.1:{port}"
        assert ask(f"{address}/board/1", VIEWER)[0] == 200  # the first one loads what it is made with
        found: Counter[int] = Counter()
        some = ",".join(AXES[:4])
        plots = [
            f"{kind}{query}" for kind in ("contour", "rank") for query in ["", f"?params={some}"] for _ in range(8)
        ]
        plots += ["slice", "parallel_coordinate", "timeline"]

        def draw(plot: str) -> None:
            found[ask(f"{address}/api/studies/1/plot/{plot}", VIEWER)[0]] += 1

        threads = [threading.Thread(target=draw, args=(plot,)) for plot in plots]
        for thread in threads:
            thread.start()
        served = 0
        while any(thread.is_alive() for thread in threads):
            for path, password in (("healthz", ""), ("board/1", PASSWORD), ("board/1", VIEWER)):
                assert ask(f"{address}/{path}", password)[0] == 200
                served += any(thread.is_alive() for thread in threads)
        assert served
        assert set(found) <= {200, 400, 503}
        assert found[400] == 16
        assert found[200] > 0
        refused = ask(f"{address}/api/studies/1/plot/contour", VIEWER)[1].decode()
        query = re.search(r"\?params=[\w,]+", refused)
        assert query is not None
        assert ask(f"{address}/api/studies/1/plot/contour{query[0]}", VIEWER)[0] == 200

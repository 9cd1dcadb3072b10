"""A store with a study of ours, and the dashboard over it as a WSGI application."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import optuna
import pytest
from optuna.storages import get_storage
from optuna.trial import TrialState

from search.dashboard import view as view_module
from search.dashboard.access import Access
from search.dashboard.application import build_application
from search.dashboard.login import Login
from search.dashboard.view import ViewStorage
from spaces import DataFacts, bind, dump_domains
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from storage.studies.studies import create_study
from storage.trials.trial_storage import TrialStorage

PASSWORD, VIEWER = "a long password", "for looking only"
CLASSES = ("background", "soil", "rock <b>&")


def plan(**other: Any) -> StudyConfig:
    facts = DataFacts(channels=1, height=24, width=32, class_names=CLASSES, excluded=("background",))
    split = json.dumps({"train": [0, 1, 2, 3], "validation": [4, 5], "holdout": [], "method": "stratified", "seed": 7})
    names: dict[str, Any] = {
        "study": "mars", "data_digest": "d" * 64, "space_digest": "e" * 64, "space": "",
        "facts": facts.model_dump_json(), "sampler": "random",
        "pruner": "none", "objective": "miou", "trials": 12, "epochs": 6, "warm_start": "none",
        "holdout": 0.0, "keep": 3, "seed": 7, "split": split,
        "domains": dump_domains(bind(facts, epochs=6)),
    }  # fmt: skip
    return StudyConfig(**names | other)


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is seen at once, however quick the test is."""
    monkeypatch.setattr(view_module, "FRESH_S", 0.0)


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with a study, to copy: quicker than to create it."""
    folder = tmp_path_factory.mktemp("template")
    opened = open_store(f"sqlite:///{folder / 'study.db'}", str(folder / "artifacts"))
    create_study(opened, plan())
    opened.close()
    return folder / "study.db"


@pytest.fixture
def store(tmp_path: Path, store_url: str, template: Path) -> Iterator[Store]:
    file = Path(store_url.removeprefix("sqlite:///"))
    file.parent.mkdir()
    shutil.copy(template, file)
    opened = open_store(store_url, str(tmp_path / "artifacts"))
    yield opened
    opened.close()


@pytest.fixture
def study(store: Store, store_url: str) -> Iterator[optuna.Study]:
    sampler = optuna.samplers.RandomSampler(seed=1)
    storage = TrialStorage(store_url)
    yield optuna.load_study(study_name="mars", storage=get_storage(storage), sampler=sampler)
    storage.engine.dispose()


@pytest.fixture
def view(store: Store, tmp_path: Path) -> ViewStorage:
    return ViewStorage(store, tmp_path)


@pytest.fixture
def train(study: optuna.Study) -> Callable[..., optuna.trial.Trial]:
    """Asks for a trial of the whole space and ends it as wanted: RUNNING stays so."""
    facts = DataFacts.model_validate_json(plan().facts)
    space = bind(facts, "", epochs=6)

    def one(state: TrialState, value: float | None = None, over: float | None = None, steps: int = 3) -> Any:
        trial = study.ask()
        space.suggest(trial)
        for step in range(1, steps + 1):
            trial.report(0.1 * step, step)
        if over is not None:
            trial.set_constraint("params", over)
        if state is TrialState.COMPLETE:
            for name, score in {"miou": value, "miou_strict": value, "iou_soil": 0.5, "parameters": 1000}.items():
                trial.set_user_attr(name, score)
        if state is not TrialState.RUNNING:
            study.tell(trial, value, state=state)
        return trial

    return one


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Calls the application as a server does."""

    application: Any
    host: str = "127.0.0.1:8080"
    sent: list[str] = field(default_factory=list)

    def send(self, path: str, password: str | None = None, **fields: object) -> Answer:
        """Sends a form, as a page of ours does."""
        kind = "application/x-www-form-urlencoded"
        return self("POST", path, password, urlencode(fields), form=kind, sec_fetch_site="same-origin")

    def __call__(self, method: str, path: str, password: str | None = None, body: Any = None, **headers: str) -> Answer:
        path, _, query = path.partition("?")
        form = headers.pop("form", None)
        data = b"" if body is None else json.dumps(body).encode() if form is None else body.encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8080", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "HTTP_HOST": self.host,
            "CONTENT_TYPE": form or "application/json",
            "CONTENT_LENGTH": str(len(data)), "wsgi.input": io.BytesIO(data),
            "wsgi.errors": io.StringIO(), "SCRIPT_NAME": "", "REMOTE_ADDR": "127.0.0.1",
        }  # fmt: skip
        if password is not None:
            environ["HTTP_AUTHORIZATION"] = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        told: list[Any] = []
        parts = self.application(environ, lambda status, given, *_: told.extend((status, given)))
        content = b"".join(parts)
        close = getattr(parts, "close", None)
        if close is not None:
            close()
        return Answer(int(told[0].split()[0]), {name.lower(): value for name, value in told[1]}, content)


@pytest.fixture
def open_client(store: Store, tmp_path: Path) -> Client:
    """Without any password."""
    return Client(build_application(store, tmp_path, Login(Access())))


@pytest.fixture
def client(store: Store, tmp_path: Path) -> Client:
    """With both passwords."""
    return Client(build_application(store, tmp_path, Login(Access(password=PASSWORD, viewer=VIEWER))))

"""Who may do what: passwords, hosts, where requests come from; every way to write is tried without the password."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from optuna_dashboard import wsgi

from search.dashboard.access import Access, check_binding, read_access
from search.dashboard.view import ViewStorage
from search.errors import UsageError
from storage.store import Store

from .conftest import PASSWORD, VIEWER, Client

NAMES = {"study_id": "1", "trial_id": "1", "artifact_id": "0f", "history_id": "x", "plot_type": "edf", "filename": "a"}


def writing_routes(view: ViewStorage) -> list[tuple[str, str]]:
    """Method and path of each route of optuna-dashboard that is not there for reading."""
    found = []
    for route in wsgi(view).routes:
        path = "".join(
            f"/{NAMES[part.strip('<>').split(':')[0]]}" if part.startswith("<") else f"/{part}"
            for part in route.rule.strip("/").split("/")
        )
        found += [(route.method, path)] if route.method not in ("GET", "HEAD") else []
    return found


def rows(store: Store) -> dict[str, int]:
    from sqlalchemy import MetaData, func, select

    metadata = MetaData()
    metadata.reflect(store.engine)
    with store.engine.connect() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables]
    return dict(zip((table.name for table in metadata.sorted_tables), counts, strict=True))


BODY = {"study_name": "other", "directions": ["maximize"], "state": "Complete", "values": [1e9], "version": 1,
        "body": "x", "user_attrs": {"a": 1}, "file": "data:text/html;base64,PGI+", "filename": "a.html",
        "remove_associated_artifacts": True, "mode": "ChooseWorst", "candidates": [1],
        "clicked": 1, "output_type": "note"}  # fmt: skip


def test_every_way_to_write_is_refused_without_the_password(
    client: Client, open_client: Client, view: ViewStorage, store: Store, train: Callable[..., Any]
) -> None:
    train(TrialState.COMPLETE, 0.4)
    train(TrialState.RUNNING)
    before, routes = rows(store), writing_routes(view)
    assert len(routes) >= 15  # optuna-dashboard 0.21 has 18
    for method, path in routes:
        for answer, status in (
            (client(method, path, body=BODY), 401),
            (client(method, path, "a wrong password", BODY), 401),
            (client(method, path, "", BODY), 401),
            (client(method, path, VIEWER, BODY), 403),
            (client(method, path, PASSWORD, BODY, sec_fetch_site="cross-site"), 403),
            (client(method, path, PASSWORD, BODY, origin="http://elsewhere.example"), 403),
            (client(method, path, PASSWORD, BODY, origin="null"), 403),
            (open_client(method, path, body=BODY), 403),
            (open_client(method, path, PASSWORD, BODY), 403),
        ):
            assert answer.status == status, (method, path)
    assert rows(store) == before
    assert store.trials.get_trial(2).state is TrialState.RUNNING


@pytest.mark.parametrize("method", ["OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND"])
def test_other_methods_are_refused_for_everyone(client: Client, method: str) -> None:
    assert client(method, "/api/studies", PASSWORD).status == 405


def test_with_the_password_a_page_of_ours_writes(client: Client, store: Store, train: Callable[..., Any]) -> None:
    train(TrialState.RUNNING)
    note = {"version": 1, "body": "look at this one"}
    headers = {"origin": "http://127.0.0.1:8080", "sec_fetch_site": "same-origin"}
    assert client("PUT", "/api/studies/1/1/note", PASSWORD, note, **headers).status == 204
    trial = client("GET", "/api/studies/1", PASSWORD).json()["trials"][0]
    assert trial["note"] == note
    assert client("POST", "/api/trials/1/tell", PASSWORD, {"state": "Fail"}, **headers).status == 204
    assert store.trials.get_trial(1).state is TrialState.FAIL


@pytest.mark.parametrize("path", ["/", "/dashboard", "/api/studies", "/api/studies/1", "/board", "/board/1",
                                  "/board/page.css", "/static/bundle.js", "/csv/1", "/artifacts/1/1/0f", "/favicon.ico",
                                  "/api/meta", "/nothing"])  # fmt: skip
def test_reading_needs_a_password_where_one_is_set(client: Client, open_client: Client, path: str) -> None:
    refused = client("GET", path)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert client("GET", path, "a long passwore").status == 401
    assert client("GET", path, VIEWER).status == client("GET", path, PASSWORD).status == open_client("GET", path).status


def test_only_the_health_check_answers_anybody(client: Client) -> None:
    answer = client("GET", "/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic /////w==", "Bearer x", "Basic bm9jb2xvbg=="])
def test_a_broken_login_is_nobody(header: str) -> None:
    assert Access(password=PASSWORD).role(header) == 0


def test_a_password_may_hold_colons_and_any_letter() -> None:
    import base64

    secret = "a:b:ü → 密码"
    header = "Basic " + base64.b64encode(f"user:{secret}".encode()).decode()
    assert Access(password=secret).role(header) == 2


@pytest.mark.parametrize(
    ("host", "known"),
    [("127.0.0.1:8080", True), ("localhost", True), ("[::1]:80", True), ("192.168.1.7:8080", True),
     ("evil.example", False), ("evil.example:8080", False), ("127.0.0.1.evil.example", False), ("", False),
     ("localhost.evil.example:80", False), ("dash.example", True), ("DASH.example:443", True)],
)  # fmt: skip
def test_a_foreign_name_is_not_answered(host: str, known: bool, client: Client, store: Store, tmp_path: Path) -> None:
    access = Access(hosts=("dash.example",))
    assert access.knows(host, "0.0.0.0") is known
    client.host = "evil.example"
    assert client("GET", "/api/studies", PASSWORD).status == 421


def test_passwords_come_from_the_environment_or_from_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{PASSWORD}\n")
    access = read_access(
        {"MARSEARCH_DASHBOARD_PASSWORD_FILE": str(file), "MARSEARCH_DASHBOARD_HOSTS": "A.example:8443, b"}
    )
    assert access == Access(password=PASSWORD, hosts=("a.example", "b"))
    assert PASSWORD not in repr(access)


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"PASSWORD": "short"}, "5 characters"), ({"PASSWORD_FILE": "/nowhere/x"}, "readable text file"),
     ({"PASSWORD": PASSWORD, "PASSWORD_FILE": "/x"}, "both set"), ({"VIEWER_PASSWORD_FILE": "/dev/null"}, "empty"),
     ({"PASSWORD": PASSWORD, "VIEWER_PASSWORD": PASSWORD}, "the same")],
)  # fmt: skip
def test_a_password_that_protects_nothing_is_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_access({f"MARSEARCH_DASHBOARD_{name}": value for name, value in environment.items()})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "my-machine", ""])
def test_others_are_let_in_with_a_password_only(host: str) -> None:
    with pytest.raises(UsageError, match="there is no password"):
        check_binding(host, Access())
    check_binding(host, Access(password=PASSWORD))
    check_binding(host, Access(viewer=VIEWER))


def test_loopback_needs_none() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        check_binding(host, Access())


def test_safe_headers_are_on_every_answer(client: Client, study: optuna.Study) -> None:
    paths = (
        "/",
        "/dashboard",
        "/api/studies",
        "/board/1",
        "/board/page.js",
        "/csv/1",
        "/artifacts/1/1/0f",
        "/nothing",
        "/healthz",
    )
    for path, password in itertools.product(paths, (None, PASSWORD)):
        headers = client("GET", path, password).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert "content-security-policy" in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [("a.html", "text/html", "attachment"), ("a.svg", "image/svg+xml", "attachment"), ("a.png", "image/png", "inline"),
     ("a.csv", "text/csv", "inline"), ("a.js", "text/javascript", "attachment")],
)  # fmt: skip
def test_an_uploaded_file_never_runs_as_a_page_of_ours(
    client: Client, train: Callable[..., Any], store: Store, tmp_path: Path, name: str, kind: str, shown: str
) -> None:
    trial = train(TrialState.RUNNING)
    file = tmp_path / name
    file.write_text("<script>alert(1)</script>")
    kept = optuna.artifacts.upload_artifact(
        artifact_store=store.artifacts, file_path=str(file), study_or_trial=trial, mimetype=kind
    )
    answer = client("GET", f"/artifacts/1/1/{kept}", VIEWER)
    assert answer.body == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == shown
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers
    store.artifacts.remove(kept)
    assert client("GET", f"/artifacts/1/1/{kept}", VIEWER).status == 404


def test_a_database_that_is_away_is_said_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.errors import DatabaseError

    def away(self: ViewStorage) -> None:
        raise DatabaseError("the database is away")

    monkeypatch.setattr(ViewStorage, "get_all_studies", away)
    for path in ("/api/studies/1", "/board/1", "/board"):
        answer = client("GET", path, PASSWORD)
        assert (answer.status, answer.json()) == (503, {"reason": "the database is away"})
    assert client("GET", "/healthz").status == 200

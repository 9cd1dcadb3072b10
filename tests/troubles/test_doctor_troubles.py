"""The doctor in broken surroundings: it does what a search will do, and names what mends each trouble."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from search.cli import answer
from storage.store import open_store
from support.pgbouncer import pgbouncer

Break = Callable[["Surroundings"], None]


class Surroundings:
    """What a trouble is made of: a folder, variables, a server, and what must be undone."""

    def __init__(
        self, request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch, undo: ExitStack
    ) -> None:
        self.folder, self.patch, self.undo = folder, patch, undo
        self._request = request

    def set(self, name: str, value: object) -> None:
        self.patch.setenv(name, str(value))

    def database(self, *statements: str, tables: bool = False, user: str = "") -> str:
        """A fresh database in which the statements were run by its owner; its URL is set, for this user."""
        url = str(self._request.getfixturevalue("postgres_url"))
        if tables:
            open_store(url, str(self.folder / "artifacts")).close()
        name, server = make_url(url).database or "", self._request.getfixturevalue("postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            if user:
                connection.execute(f"DROP ROLE IF EXISTS {user}")
                connection.execute(f"CREATE ROLE {user} LOGIN")
                self.undo.callback(_drop, server, name, user)
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(name=name, user=user))
        found = url.replace("//postgres:", f"//{user}:") if user else url
        self.set("MARSEARCH_STORAGE", found)
        return found

    def server(self, **changes: Any) -> None:
        """The URL of the server with something else in it."""
        url = make_url(str(self._request.getfixturevalue("postgres_url"))).set(**changes)
        self.set("MARSEARCH_STORAGE", url.render_as_string(hide_password=False))


def _drop(server: str, database: str, user: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
        connection.execute(f"DROP ROLE {user}")


def no_folder_for_passing_files(here: Surroundings) -> None:
    here.set("TMPDIR", here.folder / "missing")


def full_folder_for_passing_files(here: Surroundings) -> None:
    usage = shutil.disk_usage(".")
    here.set("TMPDIR", here.folder)
    here.patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))


def home_that_is_a_file(here: Surroundings) -> None:
    (here.folder / "runs").write_text("")
    here.set("MARSEARCH_STORAGE", f"sqlite:///{here.folder / 'mars.db'}")


def artifacts_that_are_a_file(here: Surroundings) -> None:
    (here.folder / "art").write_text("")
    here.set("MARSEARCH_ARTIFACTS", here.folder / "art")


def gpu_that_is_not_there(here: Surroundings) -> None:
    here.set("PATH", here.folder)
    here.set("CUDA_VISIBLE_DEVICES", "7")


def child_that_cannot_start(here: Surroundings) -> None:
    (here.folder / "hook").mkdir()
    (here.folder / "hook" / "sitecustomize.py").write_text("import os; os._exit(9)")
    here.set("PYTHONPATH", here.folder / "hook")


def limit_of_processes(here: Surroundings) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    here.patch.setattr("search.commands.doctor.subprocess.run", refuse)


def names_that_cannot_be_written(here: Surroundings) -> None:
    here.patch.setattr("sys.getfilesystemencoding", lambda: "ascii")


def server_that_is_down(here: Surroundings) -> None:
    here.set("MARSEARCH_STORAGE", "postgresql://mars@127.0.0.1:9/mars")


def server_of_no_such_name(here: Surroundings) -> None:
    here.set("MARSEARCH_STORAGE", "postgresql://mars@no-such-host.invalid/mars")


def no_such_database(here: Surroundings) -> None:
    here.server(database="nowhere")


def no_such_role(here: Surroundings) -> None:
    here.server(username="nobody_at_all")


def driver_that_is_missing(here: Surroundings) -> None:
    here.set("MARSEARCH_STORAGE", "postgresql://mars@127.0.0.1/mars")
    here.patch.setattr("storage.database.engine.importlib.util.find_spec", lambda _: None)


def public_without_create(here: Surroundings) -> None:
    here.database("REVOKE CREATE ON SCHEMA public FROM PUBLIC", user="newcomer")


def tables_that_may_only_be_read(here: Surroundings) -> None:
    grants = ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}", "GRANT CREATE ON SCHEMA public TO {user}")
    here.database(*grants, tables=True, user="reader")


def standby_that_takes_no_writes(here: Surroundings) -> None:
    here.database("ALTER DATABASE {name} SET default_transaction_read_only = on")


def encoding_without_the_signs(here: Surroundings) -> None:
    url = here.database("CREATE DATABASE narrow ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    here.set("MARSEARCH_STORAGE", make_url(url).set(database="narrow").render_as_string(hide_password=False))


def tables_of_another_program(here: Surroundings) -> None:
    here.database(
        "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('e0a2d79cc0b7')"
    )


def pooler_with_one_session(here: Surroundings) -> None:
    url = here.database()
    here.patch.setattr("storage.database.trial_run.ANSWER_S", 1.0)
    here.set("MARSEARCH_STORAGE", here.undo.enter_context(pgbouncer(url, here.folder, sessions=1)))


def file_that_is_no_database(here: Surroundings) -> None:
    (here.folder / "mars.db").write_text("hello " * 1000)
    here.set("MARSEARCH_STORAGE", f"sqlite:///{here.folder / 'mars.db'}")


TROUBLES: dict[Break, tuple[str, str]] = {
    no_folder_for_passing_files: ("passing files", "TMPDIR"),
    full_folder_for_passing_files: ("passing files", "TMPDIR"),
    home_that_is_a_file: ("home", "MARSEARCH_HOME"),
    artifacts_that_are_a_file: ("artifacts", "MARSEARCH_ARTIFACTS"),
    gpu_that_is_not_there: ("devices", "unset CUDA_VISIBLE_DEVICES"),
    child_that_cannot_start: ("worker", "PYTHONPATH"),
    limit_of_processes: ("worker", "ulimit -u"),
    names_that_cannot_be_written: ("encoding", "LC_ALL=C.UTF-8"),
    server_that_is_down: ("database", "start its server"),
    server_of_no_such_name: ("database", "correct the host's name in MARSEARCH_STORAGE"),
    no_such_database: ("database", 'CREATE DATABASE "nowhere"'),
    no_such_role: ("database", 'CREATE ROLE "nobody_at_all" LOGIN'),
    driver_that_is_missing: ("database", "pip install 'marsearch[postgres]'"),
    public_without_create: ("writing", 'GRANT USAGE, CREATE ON SCHEMA public TO "newcomer"'),
    tables_that_may_only_be_read: ("writing", 'GRANT ALL ON ALL TABLES IN SCHEMA public TO "reader"'),
    standby_that_takes_no_writes: ("writing", "target_session_attrs=read-write"),
    encoding_without_the_signs: ("writing", "ENCODING 'UTF8'"),
    tables_of_another_program: ("database", "set MARSEARCH_STORAGE to a database of its own"),
    pooler_with_one_session: ("writing", "default_pool_size"),
    file_that_is_no_database: ("database", "set MARSEARCH_STORAGE to another file"),
}


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("MARSEARCH_", "CUDA_"))]:
        monkeypatch.delenv(name)
    with ExitStack() as undo:
        yield Surroundings(request, tmp_path, monkeypatch, undo)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_the_doctor_names_what_mends_a_trouble(
    trouble: Break, here: Surroundings, driver: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """backstage/backstage#24531: all is well, says the check, and then the first write fails."""
    trouble(here)
    before = sorted(path.name for path in here.folder.iterdir())
    status = answer(["doctor", "--json"])
    here.patch.undo()
    said = json.loads(capsys.readouterr().out)
    unwell = {finding["what"]: finding for finding in said["findings"] if not finding["well"]}
    what, mend = TROUBLES[trouble]
    assert status == 1
    assert mend in unwell[what]["fix"], unwell
    assert "\n" not in unwell[what]["detail"]
    assert {path for path in (p.name for p in here.folder.iterdir()) if path.startswith("mars")} <= {*before}

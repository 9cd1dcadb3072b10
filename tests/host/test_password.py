"""A password of the database that changes during the work ends a host with one sentence; the next one takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from search.training.epoch import EpochRecord
from storage.store import open_store
from storage.studies.attempts import attempts
from storage.studies.epochs import curve
from support.processes import Running, environment, marsearch_command, run_marsearch
from support.studies import LONG_SPACE
from support.waiting import wait_for

ROLE = "mars_with_password"


@pytest.fixture
def guarded(postgres: str, postgres_url: str) -> Iterator[tuple[Callable[[str], str], Callable[[str], None]]]:
    """The URL of a database under a role whose password is asked for, by password; and how to change it."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        rules = Path(admin.execute("SHOW hba_file").fetchone()[0])  # type: ignore[index]
        before = rules.read_text()
        rules.write_text(f"local all {ROLE} scram-sha-256\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        name = make_url(postgres_url).database
        admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'first'")
        admin.execute(f"ALTER DATABASE {name} OWNER TO {ROLE}")

        def url(password: str) -> str:
            return make_url(postgres_url).set(username=ROLE, password=password).render_as_string(hide_password=False)

        def change(password: str) -> None:
            admin.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
            admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")

        yield url, change
        rules.write_text(before)
        admin.execute(f"ALTER DATABASE {name} OWNER TO postgres")
        admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")
        wait_for(lambda: not admin.execute(f"SELECT 1 FROM pg_stat_activity WHERE usename = '{ROLE}'").fetchone())
        admin.execute(f"DROP OWNED BY {ROLE}")
        admin.execute("SELECT pg_reload_conf()")


@pytest.mark.whole
def test_a_password_that_changes_during_the_work_costs_no_trial(
    guarded: tuple[Callable[[str], str], Callable[[str], None]], tiny_data: Path, tmp_path: Path
) -> None:
    url, change = guarded
    space = tmp_path / "space.yaml"
    space.write_text(LONG_SPACE)
    options = ("--data", tiny_data, "--space", space, "--trials", 1, "--epochs", 400, "--warm-start", "none")
    variables = {"MARSEARCH_STORAGE": url("first"), "MARSEARCH_ARTIFACTS": str(tmp_path / "artifacts")}
    made = run_marsearch("create", "mars", *options, cwd=tmp_path, **variables)
    assert made.returncode == 0, made.stderr
    work = marsearch_command("work", "mars", "--workers", 1)
    with Running(work, cwd=tmp_path, env=environment(**variables)) as host:
        store = open_store(url("first"), str(tmp_path / "artifacts"))
        wait_for(lambda: any(curve(store, "mars", each.trial, EpochRecord) for each in attempts(store, "mars")), 120)
        store.close()
        change("second")
        ended = host.ended(120)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    *_, last = ended.stderr.strip().splitlines()
    assert last.startswith("marsearch: the database postgresql+psycopg://mars_with_password:***@")
    assert "password authentication failed" in last
    assert "first" not in ended.stderr

    variables["MARSEARCH_STORAGE"] = url("second")
    with Running(work, cwd=tmp_path, env=environment(**variables)) as host:
        store = open_store(url("second"), str(tmp_path / "artifacts"))
        wait_for(lambda: len(attempts(store, "mars")) >= 2 or not host.running(), what=lambda: host.stderr)
        told = host.stop()
    assert told.returncode == 0, told.stderr
    states = [each.state for each in attempts(store, "mars")]
    store.close()
    assert states[0] == "lost"
    assert len(states) >= 2

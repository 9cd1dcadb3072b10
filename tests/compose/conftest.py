"""A real Docker engine for the tests, base images for it, and a package index that its builds read from.

An engine that answers is used as it is; without one, root starts one with a data folder of its own. Where no registry
is reached, Debian stands in for the base images, made with debootstrap. The index holds what this machine's pip picks,
so that builds work wherever the tests' own installation did.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from support.waiting import wait_for

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

POSTGRES_ENTRYPOINT = """#!/bin/sh
# What the official image does, as far as docker-compose.yml relies on it.
set -e
cluster=/var/lib/postgresql/data
if [ ! -s "$cluster/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    initdb --pgdata "$cluster" --username "$POSTGRES_USER" --pwfile /tmp/password \\
        --auth-local trust --auth-host scram-sha-256
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$cluster/pg_hba.conf"
    pg_ctl --pgdata "$cluster" --wait --options "-c listen_addresses=''" start
    createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --pgdata "$cluster" --wait --mode fast stop
fi
exec postgres -D "$cluster" -c "listen_addresses=*"
"""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Docker engine. environment: what its clients need. own: the tests have started it and may fill it."""

    environment: Mapping[str, str]
    own: bool

    def docker(self, *arguments: str | Path, timeout: float = 600) -> str:
        """The standard output of a docker command, which must succeed."""
        return run("docker", *arguments, env=self.environment, timeout=timeout)

    def works(self, *arguments: str) -> bool:
        """Whether a docker command succeeds."""
        done = subprocess.run(["docker", *arguments], env=self.environment, capture_output=True, check=False)
        return done.returncode == 0


@dataclass(frozen=True, kw_only=True)
class Index:
    """A package index. url: with a password in it, which must be found nowhere afterwards."""

    url: str
    host: str
    password: str


def run(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT, timeout: float = 600) -> str:
    """The standard output of a command, which must succeed; otherwise the test fails with all it said."""
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine that answers, or one of our own."""
    running = Engine(environment=dict(os.environ), own=False)
    for program in ("docker", "docker-compose"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if running.works("info"):
        yield running
        return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("no Docker engine answers, and only root can start one (dockerd)")
    folder = Path(tempfile.mkdtemp(prefix="docker-"))  # short: the name of a socket must fit
    process, own = start_engine(folder)
    yield own
    process.terminate()
    process.wait(timeout=60)
    run("sh", "-c", f"awk '$5 ~ \"^{folder}/\" {{print $5}}' /proc/self/mountinfo | xargs -r umount --lazy")
    shutil.rmtree(folder)


def start_engine(folder: Path) -> tuple[subprocess.Popen[bytes], Engine]:
    """An engine in this folder that answers."""
    socket = f"unix://{folder / 'docker.sock'}"
    files = ["--data-root", folder / "data", "--exec-root", folder / "run", "--pidfile", folder / "docker.pid"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["nice", "-n", "19", "dockerd", "--host", socket, *files], stdout=log, stderr=log)
    own = Engine(environment={**os.environ, "DOCKER_HOST": socket}, own=True)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        return own.works("info")

    wait_for(answers, what="the engine answers")
    return process, own


@pytest.fixture(scope="session")
def base_images(engine: Engine) -> tuple[str, str]:
    """The base images of the Dockerfile and of the database: there, pulled, or stood in for."""
    python = re.search(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert python
    names = (python[1], COMPOSE["services"]["db"]["image"])
    for name, stand_in in zip(names, (python_stand_in, postgres_stand_in), strict=True):
        if not engine.works("image", "inspect", name) and not engine.works("pull", name):
            if not engine.own or shutil.which("debootstrap") is None:
                pytest.skip(f"{name} cannot be pulled; a stand-in needs an engine of our own and debootstrap")
            with tempfile.TemporaryDirectory() as folder:
                stand_in(engine, Path(folder) / "root", name)
    return names


def python_stand_in(engine: Engine, root: Path, name: str) -> None:
    """Debian 12 with its Python 3.11; an environment in /usr/local gives it the paths of the official image."""
    debian(root, "bookworm", "python3,python3-venv,ca-certificates")
    run("chroot", root, "python3", "-m", "venv", "/usr/local")
    load(engine, root, name)


def postgres_stand_in(engine: Engine, root: Path, name: str) -> None:
    """Debian 13 with its PostgreSQL 17, started as the official image starts it."""
    debian(root, "trixie", "postgresql")
    for folder in ("/var/lib/postgresql/data", "/run/postgresql"):
        run("chroot", root, "install", "-d", "-o", "postgres", "-g", "postgres", "-m", "1777", folder)
    (root / "entrypoint").write_text(POSTGRES_ENTRYPOINT)
    (root / "entrypoint").chmod(0o755)
    programs = next((root / "usr/lib/postgresql").glob("*/bin")).relative_to(root)
    environment = f"ENV LANG=C.UTF-8 PATH=/{programs}:/usr/bin:/bin"
    load(engine, root, name, environment, 'ENTRYPOINT ["/entrypoint"]', "STOPSIGNAL SIGINT")


def debian(root: Path, release: str, packages: str) -> None:
    """A small Debian in a folder."""
    mirror = "http://deb.debian.org/debian"
    command = ("nice", "-n", "19", "debootstrap", "--variant=minbase", f"--include={packages}", release)
    run(*command, root, mirror, timeout=1800)


def load(engine: Engine, root: Path, name: str, *instructions: str) -> None:
    """Hand a folder to the engine as an image, with these instructions of a Dockerfile on top."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        run("tar", "--create", "--file", archive, "--directory", root, "--exclude=./var/cache/apt", ".")
        engine.docker("import", archive, name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text("\n".join([f"FROM {name}", *instructions]))
        engine.docker("build", "--quiet", "--tag", name, folder)


@pytest.fixture(scope="session")
def index(engine: Engine, base_images: tuple[str, str]) -> Iterator[Index]:
    """All packages of the worker as this machine's pip picks them, served where builds reach it."""
    version = re.search(r":(\d+\.\d+)", base_images[0])
    assert version
    with tempfile.TemporaryDirectory() as folder:
        fetch_packages(Path(folder), version[1])
        server = ThreadingHTTPServer((gateway(engine), 0), partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port, password = str(server.server_address[0]), server.server_port, "knows-of-the-index"
        yield Index(url=f"http://somebody:{password}@{host}:{port}/", host=host, password=password)
        server.shutdown()
        server.server_close()


def gateway(engine: Engine) -> str:
    """This machine's address in the network of builds; some engines name the network only, its first one is ours."""
    config = json.loads(engine.docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]
    return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts()))


class Quiet(SimpleHTTPRequestHandler):
    """A folder of folders, one per package, is an index already."""

    def log_message(self, *_: Any) -> None:
        pass


def fetch_packages(folder: Path, version: str) -> None:
    """Wheels of everything that the images take from an index."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = about["project"]["optional-dependencies"]
    wanted = [*about["build-system"]["requires"], *about["project"]["dependencies"], *extras["postgres"], *extras["s3"]]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--constraint", ROOT / "constraints.txt"]
    which = ["--only-binary", ":all:", "--python-version", version, "--dest", folder]
    run("nice", "-n", "19", *pip, *which, *wanted, timeout=1200)
    for path in sorted(folder.iterdir()):
        parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
        home = folder / canonicalize_name(parse(path.name)[0])
        home.mkdir(exist_ok=True)
        path.rename(home / path.name)

"""The files for Slurm and Kubernetes are what these take, and what they start leaves in order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "examples" / "cluster"
SCRIPT = FOLDER / "slurm.sh"
MANIFESTS = sorted(FOLDER.glob("kubernetes*.yaml"))
OLDEST, NEWEST = "1.31", "1.37"

# Every long option in sbatch(1) of Slurm 22.05, and what a value must look like for those that we use.
SBATCH = """
    account acctg-freq array batch bb bbf begin chdir cluster-constraint clusters comment constraint container
    contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot dependency
    distribution error exclude exclusive export export-file extra-node-info get-user-env gid gpu-bind gpu-freq
    gpus gpus-per-node gpus-per-socket gpus-per-task gres gres-flags help hint hold ignore-pbs input job-name
    kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus
    network nice no-kill no-requeue nodefile nodelist nodes ntasks ntasks-per-core ntasks-per-gpu
    ntasks-per-node ntasks-per-socket open-mode output overcommit oversubscribe parsable partition power prefer
    priority profile propagate qos quiet reboot requeue reservation signal sockets-per-node spread-job switches
    test-only thread-spec threads-per-core time time-min tmp uid usage use-min-nodes verbose version wait
    wait-all-nodes wckey wrap
"""
COUNT = r"[1-9][0-9]*"
VALUES = {
    "job-name": r"[\w-]+",
    "array": r"\d+-\d+(:\d+)?(%[1-9]\d*)?",
    "nodes": COUNT,
    "ntasks": COUNT,
    "cpus-per-task": COUNT,
    "gpus-per-node": rf"(\w+:)?{COUNT}",
    "mem": r"\d+[KMGT]?",
    "time": r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d(:\d\d)?)?",
    "signal": r"((B|R|BR|RB):)?(\d+|[A-Z0-9]+)(@\d+)?",
    "requeue": r"",
    "open-mode": r"append|truncate",
    "output": r"[\w%.\-/]+",
}


def directives() -> dict[str, str]:
    lines = re.findall(r"^#SBATCH (.*)$", SCRIPT.read_text(), re.MULTILINE)
    assert all(line.startswith("--") for line in lines)
    return {line.removeprefix("--").partition("=")[0]: line.partition("=")[2] for line in lines}


def test_the_slurm_script_is_a_script():
    assert subprocess.run(["bash", "-n", SCRIPT], capture_output=True, check=True).stderr == b""
    assert os.access(SCRIPT, os.X_OK)


def test_every_option_for_sbatch_is_one_and_stands_before_the_first_command():
    found = directives()
    assert set(found) <= set(SBATCH.split())
    assert {name: value for name, value in found.items() if not re.fullmatch(VALUES[name], value)} == {}
    before, _, after = SCRIPT.read_text().partition("\nset -euo pipefail\n")
    assert before.startswith("#!/bin/bash\n")  # sbatch wants one in the first line
    assert all(line.startswith("#") or not line for line in before.splitlines())
    assert "#SBATCH" not in after  # which sbatch would not read any more


def test_a_task_of_slurm_is_one_host_that_is_asked_to_leave_in_time_and_queued_again():
    found = directives()
    assert (found["nodes"], found["ntasks"]) == ("1", "1")
    assert "requeue" in found
    assert int(re.fullmatch(r"B:TERM@(\d+)", found["signal"])[1]) >= 30  # a host takes ten seconds to leave


FAKE = """#!/bin/bash
echo "$$ $* $OMP_NUM_THREADS $MARSEARCH_HOME" > "$FAKE_SAID"
trap 'sleep 0.2; echo left >> "$FAKE_SAID"; exit 0' TERM
[ -n "${FAKE_STATUS:-}" ] && exit "$FAKE_STATUS"
while true; do sleep 0.05; done
"""


@pytest.fixture
def start(tmp_path):
    """A maker of processes for which `marsearch` says how it was called, and leaves when it is asked to."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "marsearch").write_text(FAKE)
    (tmp_path / "bin" / "marsearch").chmod(0o755)
    begun = []

    def begin(*command, **variables):
        own = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "FAKE_SAID": str(tmp_path / "said")}
        own |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)} | variables
        begun.append(subprocess.Popen(command, env=own, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def said(tmp_path, process):
    """What `marsearch` noted, once it runs."""
    end = time.monotonic() + 30
    while not (tmp_path / "said").exists() or not (tmp_path / "said").read_text().endswith("\n"):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    return (tmp_path / "said").read_text().split()


def test_slurms_signals_reach_marsearch_and_its_settings_come_from_a_file(start, tmp_path):
    (tmp_path / ".config" / "marsearch").mkdir(parents=True)
    settings = "export MARSEARCH_STORAGE=postgresql://db/x MARSEARCH_ARTIFACTS=s3://b\n"
    (tmp_path / ".config" / "marsearch" / "settings.sh").write_text(settings)
    process = start(SCRIPT, "mars", "--workers", "2", SLURM_CPUS_PER_TASK="3")
    home = f"{tmp_path}/marsearch-{os.getuid()}"
    assert said(tmp_path, process) == [str(process.pid), "work", "mars", "--workers", "2", "3", home]
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert (tmp_path / "said").read_text().endswith("left\n")


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [((), {}, "usage: sbatch"), (("mars",), {}, "set MARSEARCH_STORAGE, for example in")],
)
def test_a_slurm_task_without_study_or_settings_says_what_is_missing(start, arguments, variables, sentence):
    process = start(SCRIPT, *arguments, **variables)
    assert sentence in process.communicate(timeout=30)[1]
    assert process.returncode != 0


@pytest.mark.parametrize("status", [0, 1, 2])
def test_slurm_and_kubernetes_are_told_how_marsearch_ended(start, tmp_path, status):
    places = {"MARSEARCH_STORAGE": "sqlite:///x", "MARSEARCH_ARTIFACTS": "/x", "FAKE_STATUS": str(status)}
    assert start(SCRIPT, "mars", **places).wait(timeout=30) == status
    assert start(*host()["command"], *host()["args"], FAKE_STATUS=str(status)).wait(timeout=30) == status


def manifest(name):
    (document,) = yaml.safe_load_all((FOLDER / name).read_text())
    return document


def with_folder():
    """The job as it is with the commented lines on the shared folder."""
    text = re.sub(r"^( *)# (?=- name: artifacts|  mountPath|  persistent|    claim)", r"\1", _job(), flags=re.MULTILINE)
    return yaml.safe_load(text)


def _job():
    return (FOLDER / "kubernetes.yaml").read_text()


def pod():
    return manifest("kubernetes.yaml")["spec"]["template"]["spec"]


def host():
    (container,) = pod()["containers"]
    return container


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_takes_every_manifest(path, version):
    kubernetes_validate.validate(manifest(path.name), version, strict=True)


def test_kubernetes_takes_the_job_with_a_shared_folder_too():
    job = with_folder()
    kubernetes_validate.validate(job, OLDEST, strict=True)
    inner = job["spec"]["template"]["spec"]
    mounted = {mount["name"] for mount in inner["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in inner["volumes"]} == {"home", "tmp", "artifacts"}
    claims = [v["persistentVolumeClaim"]["claimName"] for v in inner["volumes"] if "persistentVolumeClaim" in v]
    assert claims == [manifest("kubernetes-artifacts.yaml")["metadata"]["name"]]


def test_a_pod_of_kubernetes_runs_without_rights_and_is_told_its_secrets_by_reference():
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["automountServiceAccountToken"] is False
    assert host()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert host()["envFrom"] == [{"secretRef": {"name": manifest("kubernetes-secret.yaml")["metadata"]["name"]}}]
    secret = manifest("kubernetes-secret.yaml")["stringData"]
    assert all("FILL-IN" in secret[name] for name in secret if name not in ("AWS_DEFAULT_REGION",))


def test_preemption_counts_no_failure_and_another_pod_takes_the_place():
    spec = manifest("kubernetes.yaml")["spec"]
    assert spec["completionMode"] == "Indexed"
    assert pod()["restartPolicy"] == "Never"
    first, second = spec["podFailurePolicy"]["rules"]
    assert (first["action"], first["onPodConditions"]) == ("Ignore", [{"type": "DisruptionTarget", "status": "True"}])
    exits = second["onExitCodes"]
    assert (second["action"], exits["values"], exits["containerName"]) == ("Ignore", [75], host()["name"])
    assert pod()["terminationGracePeriodSeconds"] >= 30


def test_a_pod_that_is_asked_to_leave_lets_marsearch_leave_in_order_and_says_there_is_more_to_do(start, tmp_path):
    process = start(*host()["command"], *host()["args"])
    assert said(tmp_path, process)[1:3] == ["work", "mars"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 75
    assert (tmp_path / "said").read_text().endswith("left\n")


def test_a_pod_that_is_asked_to_leave_the_moment_it_begins_says_there_is_more_to_do(start, tmp_path):
    (tmp_path / "bin" / "marsearch").write_text('#!/bin/sh\nkill -TERM "$PPID"\nsleep 1\n')
    assert start(*host()["command"], *host()["args"]).wait(timeout=30) == 75

"""A connection to the database that stays open and never answers: a hung pooler, a tunnel, a firewall."""

from __future__ import annotations

import os
import time

import pytest

from support.proxy import silent_proxy
from support.verdict import verdict
from support.waiting import wait_for

SILENCE_S = float(os.environ.get("CHAOS_SILENCE", "300"))
COMPLAINT_S = 90.0  # until the host says that nothing answers


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_a_host_whose_database_falls_silent_says_so_and_loses_nothing(scene, tmp_path, capsys):
    scene.create("--trials", "6", "--epochs", "120", "--pruner", "none", "--keep", "6")
    cut_off, other = scene.hosts
    with silent_proxy(scene.server.url) as (proxy, through):
        cut_off.environment = {"MARSEARCH_STORAGE": through}
        cut_off.start()
        wait_for(lambda: (scene.epochs() or 0) >= 10, 240)
        before = len(cut_off.log.read_text())
        proxy.silence()
        began = time.monotonic()
        wait_for(lambda: "answer" in cut_off.log.read_text()[before:], COMPLAINT_S)
        complained = time.monotonic() - began
        other.start()
        while time.monotonic() < began + SILENCE_S:
            other.tend()
            time.sleep(0.5)
        proxy.speak()

        def over() -> bool:
            for host in scene.hosts:
                host.tend()
            return all(host.done for host in scene.hosts)

        wait_for(over, float(os.environ.get("CHAOS_LIMIT", "900")))
    told = verdict(scene, tmp_path, target=6, epochs=120)
    with capsys.disabled():
        print(f"\nsilent for {SILENCE_S:.0f} s, complaint after {complained:.0f} s: {told}")

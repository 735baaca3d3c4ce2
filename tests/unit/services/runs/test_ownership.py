"""A dead process is told from a living one, also when its id was given again."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from services.runs.ownership import is_dead, this_process


def test_this_process_lives():
    assert not is_dead(this_process())


def test_an_ended_process_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host = this_process().split("/")[0]
    owner = f"{host}/{child.pid}/{int(psutil.Process(child.pid).create_time())}"
    assert not is_dead(owner)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner)  # a zombie, not yet waited for
    child.communicate()
    assert is_dead(owner)


def test_a_process_id_given_again_is_another_process():
    host, pid, started = this_process().rsplit("/", 2)
    assert is_dead(f"{host}/{pid}/{int(started) - 1000}")


def test_processes_of_other_hosts_are_not_judged():
    assert not is_dead("elsewhere/1/1")

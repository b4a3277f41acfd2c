# SPDX-License-Identifier: Apache-2.0
"""Processes that are known by more than a number."""

import json
import os
import pathlib
import signal

import pytest

from devcloud.processes import Daemon, Failed, Process, stop, wait_for
from devcloud.settings import Settings
from tests.waiting import wait_for as wait

CHILD = ["/bin/sh", "-c", "sleep 100 & wait"]
"""With a child of its own."""


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Settings:
    made = Settings(tmp_path)
    for path in (made.run, made.log):
        path.mkdir()
    return made


def session(pid: int) -> list[int]:
    """What lives of it."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_it_ends_with_all_that_it_started(settings: Settings) -> None:
    process = Process(settings, "one")
    process.start(Daemon("one", CHILD))
    pid = process.pid
    assert pid
    wait(lambda: len(session(pid)) == 2, 10, "the child")
    process.start(Daemon("one", CHILD))
    assert process.pid == pid
    stop(Process.all(settings))
    assert session(pid) == []
    assert Process.all(settings) == []


def test_what_it_started_is_found_when_it_is_dead_itself(settings: Settings) -> None:
    process = Process(settings, "one")
    process.start(Daemon("one", CHILD))
    pid = process.pid
    assert pid
    wait(lambda: len(session(pid)) == 2, 10, "the child")
    os.kill(pid, signal.SIGKILL)
    wait(lambda: not process.alive, 10, "its end")
    assert not process.gone
    stop([process])
    assert session(pid) == []


def test_nobody_is_not_signalled(settings: Settings) -> None:
    with pytest.raises(Failed, match="no process one"):
        Process(settings, "one").signal(signal.SIGKILL)


def test_another_that_has_its_number_is_left_alone(settings: Settings) -> None:
    (settings.run / "one.pid").write_text(json.dumps([os.getpid(), "1"]))
    process = Process(settings, "one")
    assert not process.alive
    assert process.gone
    stop([process])


def test_one_that_had_ended_when_it_was_looked_at_is_gone(settings: Settings) -> None:
    (settings.run / "one.pid").write_text(json.dumps([2**22 + 1, None]))
    assert not Process(settings, "one").alive


def test_who_waits_is_told_why_it_ended(settings: Settings) -> None:
    process = Process(settings, "one")
    process.start(Daemon("one", ["/bin/sh", "-c", "echo no such thing; exit 1"]))
    with pytest.raises(Failed, match="no such thing"):
        wait_for(lambda: False, "one", 30, process)

# SPDX-License-Identifier: Apache-2.0
"""Programs that may take hours."""

import os
import pathlib
import subprocess
import threading

import pytest

from guest.datastores.base import Interrupted
from guest.datastores.mariadb.programs import complete
from tests.waiting import wait_for


def test_output_and_errors_are_one_text() -> None:
    done = complete(["sh", "-c", "echo one; echo two >&2; exit 3"], threading.Event(), 60.0)
    assert (done.returncode, done.stdout) == (3, "one\ntwo\n")


def test_more_output_than_a_pipe_holds() -> None:
    done = complete(["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x"], threading.Event(), 60.0)
    assert (done.returncode, len(done.stdout)) == (0, 300000)


def test_interrupted(tmp_path: pathlib.Path) -> None:
    interrupted, pid = threading.Event(), tmp_path / "pid"
    ended: list[BaseException] = []

    def run() -> None:
        try:
            complete(["sh", "-c", f"echo $$ > {pid}; exec sleep 600"], interrupted, 600.0)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: pid.exists() and pid.read_text().strip(), 30.0, "the program to run")
    interrupted.set()
    thread.join(30.0)
    assert [type(one) for one in ended] == [Interrupted]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_not_longer_than_its_time() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        complete(["sleep", "600"], threading.Event(), 0.1)

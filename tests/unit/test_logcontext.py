# SPDX-License-Identifier: Apache-2.0
"""What records of a log carry."""

import contextvars
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from conductor.pool import TaskPool
from dbflow import logcontext
from dbflow.logcontext import About
from dbflow.messaging.wire import EXECUTE, GuestRequest, RequestId

LOG = logging.getLogger("dbflow.test")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    made = logging.getLogRecordFactory()
    logcontext.install()
    logcontext.install()
    caplog.set_level(logging.INFO)
    yield caplog
    logging.setLogRecordFactory(made)


def _ids(record: logging.LogRecord) -> tuple[str, str]:
    return record.__dict__["request_id"], record.__dict__["operation_id"]


def test_a_line_about_nothing(log: pytest.LogCaptureFixture) -> None:
    LOG.info("begun")
    assert _ids(log.records[-1]) == ("-", "-")
    line = logging.Formatter(logcontext.FORMAT, logcontext.DATES).format(log.records[-1])
    assert line.endswith(" INFO dbflow.test [- - - -] begun")


def test_within_and_after(log: pytest.LogCaptureFixture) -> None:
    with logcontext.at(About(operation_id="op-1")):
        LOG.info("claimed")
        logcontext.enter(About("req-1", "op-1", user_identity="u p"))
        LOG.info("run")
        line = logging.Formatter(logcontext.FORMAT).format(log.records[-1])
    LOG.info("over")
    assert [_ids(record) for record in log.records] == [("-", "op-1"), ("req-1", "op-1"), ("-", "-")]
    assert "[- req-1 op-1 u p] run" in line


def test_it_goes_along_to_the_threads_of_tasks(log: pytest.LogCaptureFixture) -> None:
    pool, ended = TaskPool(2), threading.Barrier(3)

    def task(word: str) -> None:
        LOG.info(word)
        ended.wait(30)

    with logcontext.at(About("req-1", "op-1")):
        pool.submit(lambda: task("now"))
        pool.later(0.001, lambda: task("later"))
    ended.wait(30)
    assert {record.getMessage(): _ids(record) for record in log.records} == {
        "now": ("req-1", "op-1"),
        "later": ("req-1", "op-1"),
    }


def test_a_guest_is_told() -> None:
    with logcontext.at(About("req-1", "op-1", user_identity="u p")):
        request = GuestRequest(instance_id="i", id=RequestId("a", EXECUTE, 1), task="t", name="n")
    assert request.body()["about"] == {"request_id": "req-1", "operation_id": "op-1"}
    assert logcontext.heard(request.body()["about"]) == About("req-1", "op-1")


@pytest.mark.parametrize(
    "told",
    [None, "text", [], {"request_id": 1}, {"request_id": "a\nb"}, {"operation_id": "x" * 256}, {"operation_id": ""}],
)
def test_what_can_be_no_id_is_not_written(told: object) -> None:
    assert logcontext.heard(told) == About()


def test_threads_do_not_mix() -> None:
    with logcontext.at(About("req-1")):
        found: list[About] = []
        thread = threading.Thread(target=lambda: found.append(logcontext.current()))
        thread.start()
        thread.join(30)
        assert found == [About()]
        assert contextvars.copy_context().run(logcontext.current) == About("req-1")


_FAILS = """
import sys
from dbflow import logcontext
from dbflow.cmd.wiring import LOG, configure
configure([], [])
with logcontext.at(logcontext.About("req-1", "op-1")):
    try:
        raise RuntimeError("too much")
    except RuntimeError:
        LOG.exception("failed")
"""


def test_every_line_of_a_trace() -> None:
    """So that whoever looks for an id finds the trace."""
    said = subprocess.run([sys.executable, "-c", _FAILS], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "] RuntimeError: too much" in said
    assert [line for line in said.splitlines() if " ERROR dbflow.cmd.wiring [- req-1 op-1 -] " not in line] == []

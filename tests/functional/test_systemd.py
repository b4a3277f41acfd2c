# SPDX-License-Identifier: Apache-2.0
"""What services tell systemd while they start, live, stand still and end."""

import pathlib
import secrets
from collections.abc import Iterator

import psutil
import pytest

from dbflow.db.models import new_id
from tests.functional.alone import Alone, all_workers
from tests.functional.notified import Notified, systemd
from tests.guests.process import GuestProcess
from tests.servers.pausing import pause
from tests.waiting import wait_for

__all__ = ["systemd"]


@pytest.fixture
def alone(open_tmp: pathlib.Path) -> Iterator[Alone]:
    with Alone(open_tmp) as made:
        yield made


def _lives(systemd: Notified) -> None:
    wait_for(lambda: systemd.beats() >= 3, 30, "signs of life")
    assert systemd.told[0] in ("READY=1", "WATCHDOG=1")
    assert systemd.told.count("READY=1") == 1
    assert "STOPPING=1" not in systemd.told


def test_a_conductor(alone: Alone, systemd: Notified) -> None:
    """Although it has no broker."""
    conductor = alone.conductor(systemd.environment)
    _lives(systemd)
    conductor.stop()
    wait_for(lambda: "STOPPING=1" in systemd.told, 10, "its last word")


def test_an_api(alone: Alone, systemd: Notified) -> None:
    api = alone.api(systemd.environment)
    wait_for(lambda: "READY=1" in systemd.told, 30, "readiness")
    _lives(systemd)
    workers = all_workers(api)
    for worker in workers:
        pause(worker.pid)
    try:
        beats = systemd.beats()
        # One that was on its way may still come; then there are no more, although gunicorn itself is well.
        wait_for(lambda: not any(one.status() != psutil.STATUS_STOPPED for one in workers), 10, "workers that stand")
        with pytest.raises(AssertionError, match="signs of life"):
            wait_for(lambda: systemd.beats() > beats + 2, 3, "signs of life")
    finally:
        for worker in workers:
            worker.resume()
    wait_for(lambda: systemd.beats() > beats + 2, 30, "signs of life")
    api.stop()
    wait_for(lambda: systemd.told[-1] == "STOPPING=1", 10, "its last word")


def test_a_guest(systemd: Notified, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in systemd.environment.items():
        monkeypatch.setenv(name, value)
    url = "amqp://guest:guest@127.0.0.1:1//"
    guest = GuestProcess(tmp_path, new_id(), secrets.token_bytes(32), url, "dbflow")
    guest.start()
    try:
        wait_for(lambda: "READY=1" in systemd.told, 60, "readiness")
        _lives(systemd)
    finally:
        assert guest.stop() == 0
    wait_for(lambda: "STOPPING=1" in systemd.told, 10, "its last word")

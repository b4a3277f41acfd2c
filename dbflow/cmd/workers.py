# SPDX-License-Identifier: Apache-2.0
"""What gunicorn calls in its own process as it and its workers come and go: for systemd, and so that the workers count
together for Prometheus. dbflow-api uses this, and ``etc/gunicorn.conf.py``."""

import contextlib
import functools
import os
import shutil
import socket
import tempfile
import threading
import time
from typing import Any

from dbflow.metrics import SHARED
from dbflow.systemd import Systemd

_ASK = b"GET /healthcheck?only= HTTP/1.0\r\n\r\n"
_PATIENCE = 20.0
"""Seconds that an answer may take. Event streams leave a quarter of the threads to others."""


@functools.cache
def _systemd() -> Systemd:
    """Made before gunicorn says that it is ready, which it does when no worker has been started yet."""
    return Systemd()


def on_starting(_server: Any) -> None:
    """Each worker counts in files of its own in one directory, and whoever is asked reads them all. It is made at each
    start: what was counted before must not be there."""
    _systemd()
    os.environ[SHARED] = tempfile.mkdtemp(prefix="dbflow-metrics-")


def when_ready(server: Any) -> None:
    """It listens. Workers begin to serve a moment later."""
    listener = server.LISTENERS[0].sock
    where = (listener.family, listener.getsockname())
    threading.Thread(target=_watch, args=where, name="systemd", daemon=True).start()


def child_exit(_server: Any, worker: Any) -> None:
    """What a worker that has ended had in use is in use no more; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """The workers are gone."""
    _systemd().stopping()
    shutil.rmtree(os.environ[SHARED], ignore_errors=True)


def _watch(family: int, address: Any) -> None:
    """A worker is forked beside this thread, which therefore uses nothing that has locks, such as logging."""
    while not _answers(family, address):
        time.sleep(0.1)
    _systemd().ready()
    _systemd().watch(lambda: _answers(family, address))


def _answers(family: int, address: Any) -> bool:
    """Whether a worker serves."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as channel:
        channel.settimeout(_PATIENCE)
        channel.connect(address)
        channel.sendall(_ASK)
        return channel.recv(12).endswith(b" 200")
    return False

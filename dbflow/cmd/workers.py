# SPDX-License-Identifier: Apache-2.0
"""What gunicorn calls as its workers come and go, so that they count together for Prometheus: each writes files of its
own into one directory, and whoever is asked reads them all. dbflow-api uses this, and ``etc/gunicorn.conf.py``."""

import os
import shutil
import tempfile
from typing import Any

from dbflow.metrics import SHARED


def on_starting(_server: Any) -> None:
    """A directory of this start's own: what others have counted must not be there."""
    os.environ[SHARED] = tempfile.mkdtemp(prefix="dbflow-metrics-")


def child_exit(_server: Any, worker: Any) -> None:
    """What a worker that has ended had in use is in use no more; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Called in gunicorn's own process alone."""
    shutil.rmtree(os.environ[SHARED], ignore_errors=True)

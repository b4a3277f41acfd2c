# SPDX-License-Identifier: Apache-2.0
"""dbflow-api: serve the REST API with gunicorn, as many workers as ``[api] workers`` says."""

import sys
from collections.abc import Sequence
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from oslo_config import cfg

from dbflow.cmd import workers
from dbflow.cmd.logger import Logger
from dbflow.cmd.wiring import configure
from dbflow.wsgi import make


def settings(conf: cfg.ConfigOpts) -> dict[str, Any]:
    """gunicorn's, for ``etc/gunicorn.conf.py``, too. Threads, since an event stream holds one while it lasts. It must
    not open a socket by which it can be told to do things."""
    bind = [_address(conf.api.bind_host, conf.api.bind_port)]
    if conf.metrics.api_port is not None:
        bind.append(_address(conf.metrics.bind_host, conf.metrics.api_port))
    return {
        "bind": bind,
        "workers": conf.api.workers,
        "threads": conf.api.threads,
        "worker_class": "gthread",
        "proc_name": "dbflow-api",
        "graceful_timeout": 5,
        "control_socket_disable": True,
        "logger_class": Logger,
        "on_starting": workers.on_starting,
        "when_ready": workers.when_ready,
        "child_exit": workers.child_exit,
        "on_exit": workers.on_exit,
    }


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Server(BaseApplication):
    """gunicorn with one application a worker, made after the fork: connections can't be shared."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        super().__init__()

    def load_config(self) -> None:
        """From our configuration, not from gunicorn's own files."""
        for name, value in settings(self._conf).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker."""
        return make(self._conf)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM."""
    Server(configure(sys.argv[1:] if arguments is None else arguments)).run()
    return 0

# SPDX-License-Identifier: Apache-2.0
"""``dbflow.wsgi:application`` for any WSGI server; configured by the usual files, or by the one that $DBFLOW_CONF
names. A worker must have as many threads as ``[api] threads`` says.

Threads and connections begin with the first request, so that a server may fork after it has loaded this.
"""

import functools
import os
import threading
from collections.abc import Iterable
from typing import Any

from flask import Flask
from oslo_config import cfg

from dbflow.api.app import create_app
from dbflow.api.auth import from_conf
from dbflow.cmd.wiring import Parts, configure

_ONE_AT_A_TIME = threading.Lock()


@functools.cache
def configuration() -> cfg.ConfigOpts:
    """As the environment says when a process, or the one that it was forked from, first asks."""
    named = os.environ.get("DBFLOW_CONF")
    return configure([], [named] if named else None)


def make(conf: cfg.ConfigOpts) -> Flask:
    """The API of one worker, with connections of its own."""
    # Each stream occupies a thread, and some must be left for everything else.
    streams = min(conf.api.max_event_streams, max(1, conf.api.threads * 3 // 4))
    conf.set_override("max_event_streams", streams, "api")
    parts = Parts.from_conf(conf)
    dispatcher = parts.dispatcher()
    dispatcher.start()
    return create_app(parts.services(dispatcher), from_conf(conf))


@functools.cache
def _made() -> Flask:
    return make(configuration())


def _application() -> Flask:
    with _ONE_AT_A_TIME:
        return _made()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI callable."""
    return _application()(environ, start_response)

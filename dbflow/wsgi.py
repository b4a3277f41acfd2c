# SPDX-License-Identifier: Apache-2.0
"""``dbflow.wsgi:application`` for any WSGI server; configured by the usual files ($DBFLOW_CONF adds another).

Threads and connections begin with the first request, so that a server may fork after it has loaded this.
"""

import functools
import os
import threading
from collections.abc import Iterable
from typing import Any

from flask import Flask

from dbflow.api.app import create_app
from dbflow.api.auth import from_conf
from dbflow.cmd.wiring import Parts, configure

_ONE_AT_A_TIME = threading.Lock()


def _application() -> Flask:
    with _ONE_AT_A_TIME:
        return _make()


@functools.cache
def _make() -> Flask:
    extra = os.environ.get("DBFLOW_CONF")
    conf = configure([], [extra] if extra else None)
    parts = Parts.from_conf(conf)
    dispatcher = parts.dispatcher()
    dispatcher.start()
    return create_app(parts.services(dispatcher), from_conf(conf))


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI callable."""
    return _application()(environ, start_response)

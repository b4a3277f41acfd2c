# SPDX-License-Identifier: Apache-2.0
"""Counts requests, and answers /metrics on the port that is for nothing else."""

import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, g, request

from dbflow.api.auth import Wsgi
from dbflow.db.session import Database
from dbflow.metrics import Metrics

_BEGAN = "dbflow.began"
_NO_ROUTE = "none"


def _port_of(environ: dict[str, Any]) -> str | None:
    """On which the request came: the server's own word. At a Unix socket gunicorn takes the client's for it."""
    own = getattr(environ.get("gunicorn.socket"), "family", None) != socket.AF_UNIX
    return environ.get("SERVER_PORT") if own else None


class Measure:
    """Around one application."""

    def __init__(self, app: Flask, metrics: Metrics, database: Database, port: int | None) -> None:
        """``port``: on which figures are asked for; None where they are not."""
        self._metrics, self._database, self._port = metrics, database, port
        self._telling = threading.Lock()
        app.after_request(self._after)
        app.teardown_request(self._teardown)

    def wrap(self, wsgi: Wsgi) -> Wsgi:
        """Outside of all else, so that the look at a token counts, too."""

        def measured(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if self._port is not None and _port_of(environ) == str(self._port):
                return self._figures(environ)(environ, start_response)
            environ[_BEGAN] = time.monotonic()
            answer: Iterable[bytes] = wsgi(environ, start_response)
            return answer

        return measured

    def _figures(self, environ: dict[str, Any]) -> Response:
        if environ.get("PATH_INFO") != "/metrics" or environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return Response("Only GET /metrics is answered here.\n", 404, mimetype="text/plain")
        body, kind = self._metrics.text()
        return Response(body, content_type=kind)

    def _after(self, response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else _NO_ROUTE
        g.answered = (request.method, route, response.status_code, time.monotonic() - request.environ[_BEGAN])
        return response

    def _teardown(self, _error: BaseException | None) -> None:
        """What it is counted by is set in the end, when its connections are given back."""
        if "answered" in g:
            self._metrics.answered(*g.pop("answered"))
        with self._telling:  # or the number of a request that was interrupted here would stay
            self._metrics.connections(self._database.in_use())

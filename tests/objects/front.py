# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a Swift, through which everybody goes: what is asked of the store meets its moods first."""

import contextlib
import http.client
import http.server
import threading
from typing import Any, Self

from tests.objects.moody import InAMood, Moods
from tests.servers.ports import LOOPBACK

_PATIENCE = 60.0
_OF_A_CONNECTION = {"connection", "transfer-encoding", "date"}
"""Headers that are not passed on."""


class Front(http.server.ThreadingHTTPServer):
    """A context manager: serves in a thread of this process until the end of the block."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        """``port``: of the Swift."""
        super().__init__((LOOPBACK, 0), _Handler)
        self.behind = port
        self.moods: dict[str, Moods] = {}
        """Method -> moods; PUT and GET: of guests only, who come with signed URLs. None: it works."""

    @property
    def auth_url(self) -> str:
        """TempAuth's; the URL of an account, which it answers with, leads here too."""
        return f"http://{LOOPBACK}:{self.server_port}/auth/v1.0"

    def forget(self) -> None:
        """It works from now on."""
        for moods in self.moods.values():
            moods.over.set()
        self.moods = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Somebody went away in the middle, the Swift or who asked it: that is what tests do."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, name="front", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        self.shutdown()
        self.server_close()


class _Handler(InAMood):
    server: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _ask(self) -> None:
        moods = self.server.moods.get(self.command)
        if moods is not None and (self.command == "DELETE" or "temp_url_sig=" in self.path):
            self.as_in(moods, self._pass_on)
        else:
            self._pass_on()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _ask  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the body ended early")
        with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self.server.behind, timeout=_PATIENCE)) as swift:
            swift.request(self.command, self.path, body, dict(self.headers))
            answer = swift.getresponse()
            data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

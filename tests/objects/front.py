# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a Swift, through which everybody goes: what is asked of the store meets its moods first."""

import contextlib
import http.client
import http.server
import threading
from typing import Any, Self

from tests.objects.moody import WELL, InAMood, Moods
from tests.servers.ports import LOOPBACK

_PATIENCE = 60.0
_OF_A_CONNECTION = {"connection", "transfer-encoding", "date"}
"""Headers that are not passed on."""
LOOKS = "looks"
"""Has the moods of the control plane's own GETs: HALF and SHORT."""
HALF, SHORT = -3, -4
"""The header, half of the body, and the end of the connection; half of the body, told as all of it."""


class Front(http.server.ThreadingHTTPServer):
    """A context manager: serves in a thread of this process until the end of the block."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        """``port``: of the Swift."""
        super().__init__((LOOPBACK, 0), _Handler)
        self.behind = port
        self.moods: dict[str, Moods] = {}
        """Method -> moods; PUT and GET: of guests only, who come with signed URLs. LOOKS. None: it works."""

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
        whose = self._whose()
        moods = self.server.moods.get(whose)
        if moods is None:
            self._pass_on()
        elif whose == LOOKS:
            self._pass_on(moods.next())
        else:
            self.as_in(moods, self._pass_on)

    def _whose(self) -> str:
        if self.command == "DELETE" or "temp_url_sig=" in self.path:
            return self.command
        return LOOKS if self.command == "GET" and not self.path.startswith("/auth/") else ""

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _ask  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def _pass_on(self, mood: int = WELL) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the body ended early")
        with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self.server.behind, timeout=_PATIENCE)) as swift:
            swift.request(self.command, self.path, body, dict(self.headers))
            answer = swift.getresponse()
            data = answer.read()
        given = data[: len(data) // 2] if mood in (HALF, SHORT) else data
        self.close_connection = self.close_connection or mood == HALF
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_A_CONNECTION:
                told = str(len(given)) if mood == SHORT and name.lower() == "content-length" else value
                self.send_header(name, told)
        self.end_headers()
        self.wfile.write(given)

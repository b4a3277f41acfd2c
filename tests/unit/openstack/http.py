# SPDX-License-Identifier: Apache-2.0
"""An OpenStack of lists behind one HTTP port: its Keystone, its catalog, and whatever can go wrong on the way."""

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = "f" * 32
Answer = tuple[int, Any]
Route = Callable[["Request"], Answer]


class Request:
    """One that has come."""

    def __init__(self, method: str, url: str, body: Any, headers: Any) -> None:
        parts = urllib.parse.urlsplit(url)
        self.method, self.path, self.body, self.headers = method, parts.path.rstrip("/"), body, headers
        self.query = urllib.parse.parse_qs(parts.query)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Trouble:
    """What becomes of the next requests that match: ``answer`` in place of theirs; ``lost``: done, not answered."""

    def __init__(self, match: str, answer: Answer | None, times: int, headers: dict[str, str], lost: bool) -> None:
        self.match, self.answer, self.times, self.headers, self.lost = match, answer, times, headers, lost


class FakeOpenStack:
    """Keystone and the way to the services, which are objects with a ``route``."""

    def __init__(self, services: dict[str, Callable[[Request, str], Answer]]) -> None:
        """``services``: type -> what answers a request to the path below its endpoint."""
        self.services = services
        self.seen: list[str] = []
        """Requests to services, such as "POST /compute/v2.1/servers"."""
        self.tokens: set[str] = set()
        self._number = 0
        self._troubles: list[Trouble] = []
        self.down: set[str] = set()
        """Types of services that hang up on whoever calls."""
        self.awake = threading.Event()
        """While it is not set nobody gets an answer."""
        self.awake.set()
        self.absent: set[str] = set()
        """Those that the catalog has not."""
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                if not fake.awake.is_set():
                    self.close_connection = fake.awake.wait(60)
                    return
                with fake._lock:
                    fake._serve(self, Request(self.command, self.path, body, self.headers))

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def trouble(
        self,
        match: str,
        status: int = 0,
        message: str = "",
        *,
        times: int = 1,
        headers: dict[str, str] | None = None,
        lost: bool = False,
    ) -> None:
        """Of the next requests whose method and path contain ``match``: HTTP ``status`` with that message."""
        answer = (status, {"error": {"message": message}}) if status else None
        self._troubles.append(Trouble(match, answer, times, headers or {}, lost))

    def _serve(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        service = next((name for name in self.services if request.path.startswith(f"/{name}")), "identity")
        if service in self.down:
            handler.close_connection = True
            return
        trouble = next((one for one in self._troubles if one.match in str(request) and one.times > 0), None)
        headers: dict[str, str] = {}
        if trouble is not None:
            trouble.times -= 1
            headers = trouble.headers
        if trouble is not None and trouble.answer is not None:
            status, body = trouble.answer
        else:
            status, body = self._answer(service, request, headers)
        if trouble is not None and trouble.lost:
            handler.close_connection = True
            return
        content = b"" if body is None else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def _answer(self, service: str, request: Request, headers: dict[str, str]) -> Answer:
        if service == "identity":
            return self._identity(request, headers)
        if request.headers.get("X-Auth-Token") not in self.tokens:
            return (200, self._versions(service)) if _is_root(request.path) else (401, {"error": {"message": "who?"}})
        if _is_root(request.path):
            return 200, self._versions(service)
        self.seen.append(str(request))
        below = request.path.removeprefix(f"/{service}{_BASE[service]}").removeprefix(f"/{PROJECT}")
        return self.services[service](request, below)

    def _identity(self, request: Request, headers: dict[str, str]) -> Answer:
        if request.method == "GET":
            link = {"rel": "self", "href": f"{self.url}/v3/"}
            return 200, {"version": {"id": "v3.14", "status": "stable", "links": [link]}}
        self._number += 1
        token = f"token-{self._number}"
        self.tokens.add(token)
        headers["X-Subject-Token"] = token
        catalog = [
            {"type": kind, "name": name, "endpoints": [self._endpoint(name)]}
            for name, kind in _TYPES.items()
            if name not in self.absent
        ]
        project = {"id": PROJECT, "name": "service", "domain": {"id": "default", "name": "Default"}}
        expires = "2099-01-01T00:00:00.000000Z"
        return 201, {"token": {"methods": ["password"], "expires_at": expires, "project": project, "catalog": catalog}}

    def _endpoint(self, name: str) -> dict[str, str]:
        tail = f"/{PROJECT}" if name == "volume" else ""
        url = f"{self.url}/{name}{_BASE[name] if name in ('compute', 'volume') else ''}{tail}"
        return {"id": name, "interface": "internal", "region": "One", "region_id": "One", "url": url}

    def _versions(self, name: str) -> dict[str, Any]:
        base = _BASE[name]
        number = base.strip("/v")
        one = {
            "id": f"v{number}",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": f"{self.url}/{name}{base}/"}],
            "version": {"compute": "2.93", "volume": "3.70"}.get(name, ""),
            "min_version": {"compute": "2.1", "volume": "3.0"}.get(name, ""),
        }
        return {"version": one} if name == "compute" else {"versions": [one]}


_TYPES = {"compute": "compute", "volume": "block-storage", "network": "network", "image": "image", "dns": "dns"}
_BASE = {"compute": "/v2.1", "volume": "/v3", "network": "/v2.0", "image": "/v2", "dns": "/v2"}


def _is_root(path: str) -> bool:
    """Of a service or a version of it."""
    parts = [part for part in path.split("/") if part and part != PROJECT]
    return len(parts) == 1 or (len(parts) == 2 and parts[1].startswith("v") and parts[1][1:2].isdigit())


def numbers() -> Iterator[str]:
    """Ids, in order."""
    number = 0
    while True:
        number += 1
        yield f"{number:08d}-0000-4000-8000-000000000000"

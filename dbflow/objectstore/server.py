# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of the file store: PUT, GET and HEAD of objects by signed URLs, and nothing else.

An object is written to a file beside its place and moved there when all of it has come and its MD5 is that of the
request's ETag, so there is never half an object.
"""

import contextlib
import hashlib
import http.server
import logging
import os
import pathlib
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from dbflow.backupmanifest import LARGEST_SEGMENT as LARGEST
from dbflow.objectstore.base import StoreError
from dbflow.objectstore.directory import Directory
from dbflow.objectstore.signing import allows

LOG = logging.getLogger(__name__)
MOST = 256
"""Connections at a time."""
_BLOCK = 1 << 20
_QUIET = 60.0
"""Seconds after which a connection on which nothing happens is closed."""


class _Refused(Exception):
    """Answered with this status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class ObjectServer(http.server.ThreadingHTTPServer):
    """Serves a store's directory; :meth:`serve_forever` until :meth:`shutdown`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, directory: Directory, host: str, port: int) -> None:
        """Port 0: any."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.directory = directory
        self._seats = threading.Semaphore(MOST)
        self.key = directory.key()
        directory.forget_parts()
        super().__init__((host, port), _Handler)

    def start(self) -> None:
        """Serve in a thread of this process."""
        threading.Thread(target=self.serve_forever, name="objects", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread, of which there are no more than so many: nobody needs a right to connect."""
        if self._seats.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._seats.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no news."""
        LOG.debug("a request for an object broke off", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ObjectServer
    protocol_version = "HTTP/1.1"
    timeout = _QUIET
    disable_nagle_algorithm = True
    """What is written after headers would wait for their receipt."""
    server_version = "dbflow-objects"
    sys_version = ""

    def do_PUT(self) -> None:
        """Write an object."""
        with self._answered():
            path = self._allowed("PUT")
            length = self._length()
            self._write(path, length)
            self._answer(HTTPStatus.CREATED)

    def do_GET(self) -> None:
        """Read an object."""
        with self._answered():
            self._send(self._allowed("GET"), body=True)

    def do_HEAD(self) -> None:
        """Look at an object."""
        with self._answered():
            self._send(self._allowed("GET"), body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Not the URL: its query is a right."""

    @contextlib.contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except _Refused as refused:
            self._refuse(refused.status)
        except StoreError:
            self._refuse(HTTPStatus.NOT_FOUND)
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            LOG.error("an object can't be kept: %s", error.strerror)
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE)

    def _refuse(self, status: HTTPStatus) -> None:
        """What is left of the request's body is not read, so the connection is of no more use."""
        self.close_connection = True
        self._answer(status)

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _allowed(self, method: str) -> pathlib.Path:
        """The file of the object that the request may have."""
        try:
            asked = urlsplit(self.path)
        except ValueError:
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        if not allows(self.server.key, method, asked.path, asked.query):
            raise _Refused(HTTPStatus.FORBIDDEN)
        container, _, name = asked.path.lstrip("/").partition("/")
        return self.server.directory.file(unquote(container), unquote(name))

    def _length(self) -> int:
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED) from None
        if not 0 <= length <= LARGEST:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return length

    def _write(self, path: pathlib.Path, length: int) -> None:
        part = self.server.directory.part()
        try:
            with open(part, "xb", opener=_private) as file:
                digest = self._receive(file, length)
                file.flush()
                os.fsync(file.fileno())
            if self.headers.get("ETag", digest).strip('"') != digest:
                raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY)
            _make(path.parent)
            part.replace(path)
            _settle(path.parent)
        finally:
            part.unlink(missing_ok=True)

    def _receive(self, file: IO[bytes], length: int) -> str:
        """The MD5 of the body, which is written to the file."""
        digest, left, block = hashlib.md5(usedforsecurity=False), length, memoryview(bytearray(_BLOCK))
        while left:
            got = self.rfile.readinto(block[: min(left, _BLOCK)])
            if not got:
                raise ConnectionError("the body ended early")
            digest.update(block[:got])
            file.write(block[:got])
            left -= got
        return digest.hexdigest()

    def _send(self, path: pathlib.Path, *, body: bool) -> None:
        try:
            file = path.open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise _Refused(HTTPStatus.NOT_FOUND) from None
        with file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if body:
                self.wfile.flush()
                self.connection.sendfile(file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make(directory: pathlib.Path) -> None:
    """With those above it."""
    fresh = [one for one in (directory, *directory.parents) if not one.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in fresh:
        _settle(one.parent)


def _settle(directory: pathlib.Path) -> None:
    """What is answered for is there after a power failure."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

# SPDX-License-Identifier: Apache-2.0
"""Objects by pre-signed URLs: what fails for a reason that may pass is tried again."""

import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import tenacity
import urllib3

LOG = logging.getLogger(__name__)
_CONNECT, _ANSWER = 10.0, 60.0
"""Seconds for a connection, or for the store to take a block, and for it to give something; never more than there is
patience."""
_BLOCK = 1 << 16
"""Bytes. A store that takes a whole object slowly still takes it."""
_LONGEST_PAUSE = 10.0
_GONE, _SHUT = {HTTPStatus.NOT_FOUND}, {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_LATER = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,  # it came damaged: what was received has not the MD5 of what was sent
    HTTPStatus.TOO_MANY_REQUESTS,
    498,  # Swift's own for too many requests
    499,  # Swift takes it that we went away
}


class StoreFailed(Exception):
    """The object store refuses, or did not answer for as long as it was tried; fit for a user to read."""


class Missing(StoreFailed):
    """There is no such object."""


class _Transient(Exception):
    """May go better next time; ``str()`` is what the store said."""


class Store:
    """The objects below one prefix."""

    def __init__(self, grant: Mapping[str, Any], patience: float, interrupted: threading.Event | None = None) -> None:
        """``grant`` as dbflow.objectstore's Grant.for_guest makes it; ``patience`` in seconds, which ends once
        ``interrupted`` is set."""
        interrupted = interrupted or threading.Event()
        self._url, self._queries = grant["url"], grant["secrets"]
        timeout = urllib3.Timeout(connect=min(_CONNECT, patience), read=min(_ANSWER, patience))
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=timeout)
        self._again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Transient),
            stop=tenacity.stop_after_delay(patience) | tenacity.stop_when_event_set(interrupted),
            sleep=tenacity.sleep_using_event(interrupted),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE),
            before_sleep=tenacity.before_sleep_log(LOG, logging.WARNING),
            reraise=True,
        )

    def put(self, name: str, data: bytes | memoryview, more: Mapping[str, str] | None = None) -> None:
        """Write an object; the store refuses it when it comes damaged. ``more``: headers that it is to keep."""
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        headers = {"ETag": etag, "Content-Type": "application/octet-stream", "Content-Length": str(len(data))}
        headers |= more or {}
        self._ask("PUT", name, memoryview(data), headers)

    def get(self, name: str) -> bytes:
        """Read an object; Missing."""
        return self._ask("GET", name)

    def _ask(self, method: str, name: str, *request: Any) -> bytes:
        try:
            return self._again.copy()(self._once, method, name, *request)
        except _Transient as error:
            raise StoreFailed(f"The object store does not work: {error}.") from None

    def _once(
        self, method: str, name: str, data: memoryview | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        url = f"{self._url}{quote(name)}?{self._queries[method]}"
        try:
            # The time for a connection is that of each block, too. Sent as they are: they need not be bytes.
            body = None if data is None else cast(Iterator[bytes], _blocks(data))
            answer = self._pool.request(method, url, body=body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # The words of the error would show the URL, which is a right.
            raise _Transient(f"no answer ({type(error).__name__})") from None
        return self._judged(name, answer)

    @staticmethod
    def _judged(name: str, answer: urllib3.BaseHTTPResponse) -> bytes:
        status = answer.status
        if 200 <= status < 300:
            return answer.data
        if status in _GONE:
            raise Missing(f"Object {name} is not in the object store.")
        if status in _SHUT:
            raise StoreFailed(f"The object store refuses ({status}): the right to object {name} is not good any more.")
        if status in _LATER or status >= 500:
            raise _Transient("it is full" if status == HTTPStatus.INSUFFICIENT_STORAGE else f"it answers {status}")
        raise StoreFailed(f"The object store refuses object {name} ({status}).")


def _blocks(data: memoryview) -> Iterator[memoryview]:
    return (data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))

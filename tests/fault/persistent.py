# SPDX-License-Identifier: Apache-2.0
"""A client that does not give up: what it asked for was accepted once, however often it had to ask."""

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

from dbflow.operations import ENDED
from tests.functional.stack import Client, operation_of
from tests.waiting import wait_for

LONG = 400.0
"""Seconds for one operation, however often it is disturbed."""
_AGAIN = (409, 422, 429)
"""Answers that another moment may change: another request is at it, it is not ready, too many requests."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One request and how it went."""

    kind: str
    began: float
    """time.monotonic()"""
    took: float
    status: int
    """0 when no answer came."""
    retry_after: bool

    @property
    def good(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    @property
    def ended(self) -> float:
        """When the answer was there."""
        return self.began + self.took


def call(client: Client, kind: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[Call, Any]:
    """Ask once: what is known of it, and the answer if one came."""
    began = time.monotonic()
    answer = None
    try:
        answer = client.raw(method, path, body, **headers)
    except requests.RequestException:
        status, retry_after = 0, False
    else:
        status, retry_after = answer.status_code, "Retry-After" in answer.headers
    return Call(kind, began, time.monotonic() - began, status, retry_after), answer


@dataclasses.dataclass
class Asked:
    """An operation that was accepted."""

    operation_id: str
    kind: str
    accepted: float
    ended: float | None = None
    state: str = ""
    error: str | None = None

    @property
    def took(self) -> float:
        """Seconds from the answer to its end."""
        return (self.ended or time.monotonic()) - self.accepted


class Persistent:
    """Asks again, with the same Idempotency-Key, until it is answered. Keeps what it asked for and every call."""

    def __init__(self, client: Client, calls: list[Call] | None = None, asked: list[Asked] | None = None) -> None:
        """``calls`` and ``asked`` may be shared by several."""
        self._client = client
        self.calls: list[Call] = [] if calls is None else calls
        self.asked: list[Asked] = [] if asked is None else asked

    def ask(self, kind: str, method: str, path: str, body: Any = None) -> requests.Response:
        """The first answer that is not a failure of the server, and not one that another moment may change."""
        key = str(uuid.uuid4())

        def answered() -> tuple[requests.Response] | None:  # a response that refuses is not true by itself
            one, answer = call(self._client, kind, method, path, body, **{"Idempotency-Key": key})
            self.calls.append(one)
            if answer is not None and one.status < 500 and one.status not in _AGAIN:
                return (answer,)
            return None

        (found,) = wait_for(answered, LONG, f"an answer to {method} {path}")
        return found

    def operate(self, kind: str, method: str, path: str, body: Any = None) -> tuple[Asked, requests.Response]:
        """Ask for an operation and wait for its end, whatever that is."""
        answer = self.ask(kind, method, path, body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        asked = Asked(operation_of(answer), kind, time.monotonic())
        self.asked.append(asked)
        self.end(asked)
        return asked, answer

    def end(self, asked: Asked) -> None:
        """Wait for the end of an operation; AssertionError when there is none."""
        path = f"/operations/{asked.operation_id}"

        def ended() -> dict[str, Any] | None:
            answer = self.ask("operation", "GET", path)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()["operation"]
            return found if found["state"] in ENDED else None

        found = wait_for(ended, LONG, f"the end of {asked.kind} {asked.operation_id}")
        asked.ended, asked.state, asked.error = time.monotonic(), found["state"], found.get("error")

    def must(self, kind: str, method: str, path: str, body: Any = None) -> requests.Response:
        """An operation that must succeed."""
        asked, answer = self.operate(kind, method, path, body)
        assert asked.state == "SUCCESS", f"{kind} {asked.operation_id} ended {asked.state}: {asked.error}"
        return answer


def each(number: int, work: Callable[[int], None]) -> list[str]:
    """Run ``work(0)`` … side by side; what went wrong in which."""
    failures: list[str] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except Exception as error:
            failures.append(f"{index}: {error!r}")

    threads = [threading.Thread(target=guarded, args=(index,), daemon=True) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures

# SPDX-License-Identifier: Apache-2.0
"""Whose work a line of a log is about: the request of a user, the operation it began.

Every record of a process carries ``request_id``, ``global_request_id``, ``operation_id`` and ``user_identity``; how
they are written is the formatter's affair. What a thread hands to another one (see contextvars) takes them along.
"""

import contextlib
import contextvars
import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = (
    "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s "
    "[%(global_request_id)s %(request_id)s %(operation_id)s %(user_identity)s] "
)
FORMAT = f"{PREFIX}%(message)s"
"""For whoever has no other; "-" stands for what there is not."""
DATES = "%Y-%m-%d %H:%M:%S"
_NOTHING = "-"
_FIT = re.compile(r"[\x21-\x7e]{1,255}")


@dataclasses.dataclass(frozen=True)
class About:
    """Ids; empty where there is none."""

    request_id: str = ""
    operation_id: str = ""
    global_request_id: str = ""
    """By which a client knows its request across services."""
    user_identity: str = ""
    """Ids of user and project."""

    def told(self) -> dict[str, str]:
        """What a guest is told."""
        pairs = {"request_id": self.request_id, "operation_id": self.operation_id}
        return {name: value for name, value in pairs.items() if value}


_NOBODY = About()
_ABOUT: contextvars.ContextVar[About] = contextvars.ContextVar("dbflow_about", default=_NOBODY)


def current() -> About:
    """What this thread is at."""
    return _ABOUT.get()


def enter(about: About) -> None:
    """From now on this thread is at that."""
    _ABOUT.set(about)


@contextlib.contextmanager
def at(about: About) -> Iterator[None]:
    """Within the block this thread is at that, or at what :func:`enter` says within it."""
    token = _ABOUT.set(about)
    try:
        yield
    finally:
        _ABOUT.reset(token)


def heard(told: Any) -> About:
    """From what came with a message; nothing of what can't be an id."""
    if not isinstance(told, Mapping):
        return About()
    fit = {name: value for name, value in told.items() if isinstance(value, str) and _FIT.fullmatch(value)}
    return About(fit.get("request_id", ""), fit.get("operation_id", ""))


def install() -> None:
    """Have every record carry them. A second time changes nothing."""
    made = logging.getLogRecordFactory()
    if not isinstance(made, _Factory):
        logging.setLogRecordFactory(_Factory(made))


class _Factory:
    def __init__(self, made: Any) -> None:
        self._made = made

    def __call__(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._made(*arguments, **options)
        for name, value in dataclasses.asdict(_ABOUT.get()).items():
            setattr(record, name, value or _NOTHING)
        return record

# SPDX-License-Identifier: Apache-2.0
"""The server's logs: the general one and that of slow queries, which users switch on and off, and the error log.

What was sent to the object store is remembered by the number of bytes of the file and by its beginning, so that a
file that was begun anew is seen. An object is named by the place in the file that it begins with: sent again after
the agent died in the middle, it takes the place of what was sent. The names of a file that was begun anew, and of one
whose objects were thrown away, have a greater generation, and so come after all that were sent before.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from guest.datastores import base
from guest.datastores.base import Log, LogStatus, LogType, NotFound, Send
from guest.datastores.mariadb import config, quoting
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout, write

SWITCHES = {"general": "general_log", "slow_query": "slow_query_log"}
"""Log -> the parameter that switches it on."""
ERROR = "error"
_PART = 4 << 20
"""Bytes of an object, at most."""
_HEADER = 1024
"""Bytes at a file's beginning by which it is known again."""


class Logs(base.Logs):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client) -> None:
        self._layout, self._client = layout, client

    def every(self) -> list[Log]:
        """See the base class."""
        return [self.one(name) for name in (*SWITCHES, ERROR)]

    def one(self, name: str) -> Log:
        """See the base class."""
        seen, size, rotated = self._seen(_known(name)), 0, False
        with contextlib.suppress(FileNotFoundError), self._layout.log_file(name).open("rb") as file:
            size, rotated = _size(file), _rotated(file, seen)
        published = int(seen.get("published", 0))
        kind = LogType.USER if name in SWITCHES else LogType.SYS
        status = _status(kind, bool(seen.get("enabled")), size, published, rotated)
        return Log(name, kind, status, published, size if rotated else size - published)

    def enable(self, name: str) -> None:
        """See the base class."""
        self._switch(name, on=True)

    def disable(self, name: str) -> None:
        """See the base class."""
        self._switch(name, on=False)

    def publish(self, name: str, send: Send) -> None:
        """See the base class."""
        seen = self._seen(_known(name))
        with contextlib.suppress(FileNotFoundError), self._layout.log_file(name).open("rb") as file:
            if _rotated(file, seen):
                seen |= {"published": 0, "generation": int(seen.get("generation", 0)) + 1}
            # What is written from now on is left for the next time: a busy log has no end.
            end = _size(file)
            while (at := int(seen.get("published", 0))) < end:
                file.seek(at)
                part = _whole_lines(file.read(min(_PART, end - at)))
                if not part:
                    break
                send(f"{_generation(seen)}-{at:015d}", part, part.count(b"\n"))
                seen |= {"published": at + len(part), "header": _header(file, at + len(part))}
                self._remember(name, seen)

    def discard(self, name: str) -> str:
        """See the base class."""
        seen = self._seen(_known(name))
        seen |= {"published": 0, "header": None, "generation": int(seen.get("generation", 0)) + 1}
        self._remember(name, seen)
        return _generation(seen)

    def _switch(self, name: str, on: bool) -> None:
        if name not in SWITCHES:
            raise NotFound(f"Log {name} can't be switched on or off.")
        if on:
            path = self._layout.log_file(name)
            path.touch(mode=0o640)
            self._layout.owner.give(path)
        switch = SWITCHES[name]
        # First what may be refused: then nothing has changed.
        with self._client.session() as session:
            if on:
                file = quoting.literal(str(self._layout.log_file(name)))
                session.run(f"SET GLOBAL log_output = 'FILE', GLOBAL {switch}_file = {file}, GLOBAL {switch} = 1")
            else:
                session.run(f"SET GLOBAL {switch} = 0")
        self._remember(name, self._seen(name) | {"enabled": on})
        text = self._layout.config.read_text(encoding="utf-8")
        write(self._layout.config, config.with_logs(text, self._layout), self._layout.owner)

    def _seen(self, name: str) -> dict[str, Any]:
        return config.log_states(self._layout).get(name, {})

    def _remember(self, name: str, seen: dict[str, Any]) -> None:
        write(self._layout.logs, json.dumps(config.log_states(self._layout) | {name: seen}))


def _known(name: str) -> str:
    if name not in SWITCHES and name != ERROR:
        raise NotFound(f"There is no log {name}.")
    return name


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _rotated(file: BinaryIO, seen: Mapping[str, Any]) -> bool:
    """Whether it is another one than that of which a part was sent."""
    published = int(seen.get("published", 0))
    return bool(published) and (_size(file) < published or _header(file, published) != seen.get("header"))


def _header(file: BinaryIO, published: int) -> str:
    """Of a file that has so many bytes at least."""
    file.seek(0)
    return hashlib.sha256(file.read(min(published, _HEADER))).hexdigest()


def _generation(seen: Mapping[str, Any]) -> str:
    """What the names of a file's objects begin with."""
    return f"log-{int(seen.get('generation', 0)):06d}"


def _status(kind: LogType, enabled: bool, size: int, published: int, rotated: bool) -> LogStatus:
    if rotated:
        return LogStatus.ROTATED
    if published:
        return LogStatus.PUBLISHED if published == size else LogStatus.PARTIAL
    if kind is LogType.USER and not enabled:
        return LogStatus.DISABLED
    if size:
        return LogStatus.READY
    return LogStatus.ENABLED if kind is LogType.USER else LogStatus.UNAVAILABLE


def _whole_lines(data: bytes) -> bytes:
    """Up to the last line's end; a line that is longer than a part is cut."""
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < _PART else data

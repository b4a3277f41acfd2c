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
import logging
import os
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

from guest.datastores import base
from guest.datastores.base import DatastoreError, Log, LogStatus, LogType, NotFound, Send
from guest.datastores.mariadb import config, quoting
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.plain import opened

LOG = logging.getLogger(__name__)
SWITCHES = {"general": "general_log", "slow_query": "slow_query_log"}
"""Log -> the parameter that switches it on."""
ERROR = "error"
_PART = 4 << 20
"""Bytes of an object, at most."""
_HEADER = 1024
"""Bytes at a file's beginning by which it is known again."""
_MOST, _LONGEST = 256 << 20, 60.0
"""Bytes that are sent at once, and seconds for which a part is begun: the guest's other tasks wait."""
_LARGEST = 1 << 30
"""Bytes of a file, about: the machine's disk is not the users'."""


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
        with contextlib.suppress(FileNotFoundError), opened(self._layout.log_file(name), os.O_RDONLY) as file:
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
        seen, until = self._seen(_known(name)), time.monotonic() + _LONGEST
        with contextlib.suppress(FileNotFoundError), opened(self._layout.log_file(name), os.O_RDONLY) as file:
            if _rotated(file, seen):
                seen |= {"published": 0, "generation": int(seen.get("generation", 0)) + 1}
            # What is written from now on is left for the next time: a busy log has no end.
            end = min(_size(file), int(seen.get("published", 0)) + _MOST)
            while (at := int(seen.get("published", 0))) < end and time.monotonic() < until:
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

    def bound(self) -> None:
        """See the base class. The server appends, so it goes on at the beginning of a file that was emptied."""
        for name in (*SWITCHES, ERROR):
            path = self._layout.log_file(name)
            with contextlib.suppress(FileNotFoundError, DatastoreError), opened(path, os.O_WRONLY) as file:
                if _size(file) > _LARGEST:
                    LOG.warning("the log %s is begun anew: it has more than %d bytes", name, _LARGEST)
                    file.truncate(0)

    def _switch(self, name: str, on: bool) -> None:
        if name not in SWITCHES:
            raise NotFound(f"Log {name} can't be switched on or off.")
        # First what may be refused: then nothing has changed.
        with self._client.session() as session:
            _set(session, self._layout, name, on)
        try:
            self._remember(name, self._seen(name) | {"enabled": on})
            _write_down(self._layout)
        except OSError as error:
            if on:
                # What nobody knows to be on would grow unseen. One that should be off had better be.
                with contextlib.suppress(DatastoreError), self._client.session() as session:
                    _set(session, self._layout, name, on=False)
            raise DatastoreError(f"That the log is {'on' if on else 'off'} can't be kept: {error.strerror}.") from None

    def _seen(self, name: str) -> dict[str, Any]:
        return config.log_states(self._layout).get(name, {})

    def _remember(self, name: str, seen: dict[str, Any]) -> None:
        write(self._layout.logs, json.dumps(config.log_states(self._layout) | {name: seen}))


def agree(layout: Layout, client: Client) -> None:
    """Have a running server and its configuration file have those logs on that were switched on: an agent may die
    between telling the server and remembering it."""
    wanted = config.logs(layout)
    with client.session() as session:
        for name, switch in SWITCHES.items():
            ((now,),) = session.rows(f"SELECT @@GLOBAL.{switch}")
            if bool(now) != (switch in wanted):
                _set(session, layout, name, switch in wanted)
    _write_down(layout)


def _set(session: Session, layout: Layout, name: str, on: bool) -> None:
    switch = SWITCHES[name]
    if not on:
        session.run(f"SET GLOBAL {switch} = 0")
        return
    path = layout.log_file(name)
    opened(path, os.O_WRONLY | os.O_CREAT).close()
    layout.owner.give(path)
    file = quoting.literal(str(path))
    session.run(f"SET GLOBAL log_output = 'FILE', GLOBAL {switch}_file = {file}, GLOBAL {switch} = 1")


def _write_down(layout: Layout) -> None:
    """In the server's configuration, for its next start."""
    text = layout.config.read_text(encoding="utf-8")
    wanted = config.with_logs(text, layout)
    if wanted != text:
        write(layout.config, wanted, layout.owner)


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

# SPDX-License-Identifier: Apache-2.0
"""Modules put on this instance and taken away, each change with its way back.

Before anything is done it is written down what is done, and what was there before, under the mark of the change: so
one that is asked for again goes on, and undoing it does nothing where it never began, or where a later change has been
since.
"""

import base64
import contextlib
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from guest.datastores.base import Datastore, NotFound, Untouched
from guest.modules import load
from guest.modules.kept import Kept, Record

OK, APPLYING, REMOVING = "OK", "APPLYING", "REMOVING"
_TOLD = ("id", "name", "type", "md5", "datastore", "datastore_version", "tenant", "auto_apply", "visible", "is_admin")
_TO_SECONDS = len("2026-01-01T00:00:00")


class Modules:
    """Of one datastore."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._kept = Kept(datastore.machine.data_dir)

    def apply(self, module: Mapping[str, Any]) -> str:
        """Put it there, in the place of what is there of it. Returns what users are told."""
        found, mark = self._begun(module["id"], module["mark"]), module["mark"]
        if found is not None and found["mark"] == mark and found["status"] == OK:
            return str(found["message"])
        load(module["type"]).ready(self._datastore)
        there = found is not None and not found["removed"]
        created = found["created"] if found is not None and there else _now()
        record = {
            "module": dict(module),
            "mark": mark,
            "status": APPLYING,
            "message": None,
            "created": created,
            "updated": _now(),
            "removed": None,
            "previous": _previous(found, mark),
        }
        with self._noted(record, found):
            message = self._apply(module)
        self._kept.write(record | {"status": OK, "message": message, "updated": _now()})
        return message

    def remove(self, module_id: str, mark: str, *, forget: bool = False) -> None:
        """Take it away; fine when it is not there. ``forget``: what it did stays."""
        found = self._begun(module_id, mark)
        if found is None or found["removed"]:
            return
        if not forget:
            load(found["module"]["type"]).ready(self._datastore)
        record = found | {"mark": mark, "status": REMOVING, "previous": _previous(found, mark), "forgotten": forget}
        with self._noted(record, found):
            if not forget:
                self._remove(record)
        self._kept.write(record | {"removed": _now()})

    def back(self, module_id: str, mark: str) -> None:
        """Undo the change of that mark, as far as it came."""
        found = self._kept.read(module_id)
        if found is None or found["mark"] != mark:
            return
        previous = _good(found["previous"])
        if not found.get("forgotten"):
            if previous is not None:
                self._apply(previous["module"])
            else:
                self._remove(found)
        self._put_back(found)

    def every(self) -> list[dict[str, Any]]:
        """What is there: {"id", "name", "type", "md5", "datastore", "datastore_version", "tenant", "auto_apply",
        "visible", "is_admin", "status", "message", "created", "updated", "removed"}, …"""
        return [_told(record) for record in self._kept.every() if not record["removed"]]

    def contents(self, module_id: str) -> str:
        """Base64. NotFound."""
        found = self._kept.read(module_id)
        if found is None or found["removed"]:
            raise NotFound(f"Module {module_id} is not on this instance.")
        return str(found["module"]["secret"])

    def _begun(self, module_id: str, mark: str) -> Record | None:
        """The module's record. Those that were removed by other changes are not needed any more."""
        for record in self._kept.every():
            if record["removed"] and record["mark"] != mark:
                self._kept.forget(record["module"]["id"])
        return self._kept.read(module_id)

    @contextlib.contextmanager
    def _noted(self, record: Record, found: Record | None) -> Iterator[None]:
        """The record is there while its change is made. One that did nothing leaves what was found; but an earlier run
        of it may have done something."""
        self._kept.write(record)
        try:
            yield
        except Untouched:
            if found is None:
                self._kept.forget(record["module"]["id"])
            elif found["mark"] != record["mark"]:
                self._kept.write(found)
            raise

    def _put_back(self, record: Record) -> None:
        """What is known of the module as it was before the record's change."""
        previous = _good(record["previous"])
        if previous is not None:
            self._kept.write(previous)
        else:
            self._kept.forget(record["module"]["id"])

    def _apply(self, module: Mapping[str, Any]) -> str:
        return load(module["type"]).apply(_contents(module), self._datastore)

    def _remove(self, record: Record) -> None:
        load(record["module"]["type"]).remove(_contents(record["module"]), self._datastore)


def _previous(found: Record | None, mark: str) -> Record | None:
    """What was there before the change of that mark began."""
    if found is None or found["mark"] == mark or found["status"] != OK:
        return found and found["previous"]  # one that was left half done is nothing to go back to
    return found | {"previous": None}


def _good(previous: Record | None) -> Record | None:
    """One that can be gone back to."""
    return previous if previous is not None and previous["status"] == OK and not previous["removed"] else None


def _contents(module: Mapping[str, Any]) -> bytes:
    return base64.b64decode(module["secret"])


def _told(record: Record) -> dict[str, Any]:
    told = {name: record["module"][name] for name in _TOLD}
    times = {name: record[name] and record[name][:_TO_SECONDS] for name in ("created", "updated", "removed")}
    return told | times | {name: record[name] for name in ("status", "message")}


def _now() -> str:
    """Modules of one request are put there in the same second, one after the other."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")

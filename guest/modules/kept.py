# SPDX-License-Identifier: Apache-2.0
"""What was applied to this instance, with its contents: on the data volume, for the agent's eyes only."""

import contextlib
import json
import os
import pathlib
import re
import tempfile
from typing import Any

from dbflow import faults

Record = dict[str, Any]
"""{"module": what the flow said of it, "mark": of the change that wrote it last, "status", "message", "created",
"updated", "removed", "previous": the record that it goes back to when that change is undone, "forgotten": whether that
change left what the module did}"""
DIRECTORY = ".dbflow-modules"
_ID = re.compile(r"[0-9a-f-]{36}")


class Kept:
    """A file for each module."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self._directory = data_dir / DIRECTORY

    def read(self, module_id: str) -> Record | None:
        """None for one that was never applied."""
        try:
            found: Record = json.loads(self._path(module_id).read_text())
        except FileNotFoundError:
            return None
        return found

    def every(self) -> list[Record]:
        """All of them, the oldest first."""
        found = (self.read(path.name) for path in self._directory.glob("*") if _ID.fullmatch(path.name))
        return sorted((record for record in found if record is not None), key=lambda record: str(record["created"]))

    def write(self, record: Record) -> None:
        """On the disk when this returns: what is done next must be possible to undo."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self._path(record["module"]["id"])
        handle, name = tempfile.mkstemp(dir=self._directory, prefix=".")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(record, file)
                file.flush()
                os.fsync(file.fileno())
            pathlib.Path(name).replace(path)
        except BaseException:
            pathlib.Path(name).unlink(missing_ok=True)
            raise
        self._sync()
        faults.within()

    def forget(self, module_id: str) -> None:
        """Fine when it is not there."""
        with contextlib.suppress(FileNotFoundError):
            self._path(module_id).unlink()
            self._sync()

    def _path(self, module_id: str) -> pathlib.Path:
        if not _ID.fullmatch(module_id):
            raise ValueError(f"{module_id!r} is no id")
        return self._directory / module_id

    def _sync(self) -> None:
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

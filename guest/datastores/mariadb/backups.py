# SPDX-License-Identifier: Apache-2.0
"""Backups of MariaDB: its files, and what changed in them since an earlier backup (mariadb-backup), or the statements
that make the data (mariadb-dump)."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dbflow.datastores import Strategy
from guest.datastores import base
from guest.datastores.base import DatastoreError, Link, RunSteps, Settings, Source, Step
from guest.datastores.mariadb import trial
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.lifecycle import START_TIMEOUT, Lifecycle
from guest.datastores.mariadb.login import write_login
from guest.volume import allocated

_LEAST_PREPARE, _MOST_PREPARE = 96, 4096
"""MiB of memory for applying the log."""
_LOG_INTERVAL = 50
"""Milliseconds between two looks at the log, where a second is usual: at the end of a copy nobody can commit until the
next one."""
_HOLDS = ("Starting BACKUP STAGE BLOCK_COMMIT", "All tables unlocked")
"""What mariadb-backup says, up to 11.8 at least, before it lets nobody commit any more, and after it does again."""
_LOGIN = "login.cnf"
_LSN = re.compile(r"^to_lsn = (\d+)$", re.MULTILINE)
_GTID = re.compile(r"GTID of the last change '([^']*)'")


class Backups(base.Backups):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client, lifecycle: Lifecycle) -> None:
        self._layout, self._client, self._lifecycle = layout, client, lifecycle

    def source(self, strategy: str, base: Mapping[str, Any] | None, work: pathlib.Path) -> Source:
        """See the base class."""
        login = work / _LOGIN
        physical = strategy == Strategy.PHYSICAL
        command = self._copy(login, base, work) if physical else self._dump(login)
        write_login(self._layout, login)
        return Source(command, self._user, allocated(self._layout.data), _HOLDS if physical else None)

    def position(self, strategy: str, work: pathlib.Path) -> dict[str, Any]:
        """See the base class: {"to_lsn", "gtid"} of a physical one; a logical one has none."""
        (work / _LOGIN).unlink(missing_ok=True)
        if strategy != Strategy.PHYSICAL:
            return {}
        lsn = _LSN.search(_told(work, "checkpoints"))
        if lsn is None:
            raise DatastoreError("mariadb-backup did not say where its copy ends.")
        gtid = _GTID.search(_told(work, "info"))
        return {"to_lsn": lsn[1], "gtid": gtid[1] if gtid else ""}

    def restore(self, settings: Settings, chain: Sequence[Link], run: RunSteps) -> None:
        """See the base class."""
        if chain[0].strategy == Strategy.PHYSICAL:
            self._restore_files(settings, chain, run)
        else:
            self._restore_dump(settings, chain[0], run)

    def _copy(self, login: pathlib.Path, base: Mapping[str, Any] | None, work: pathlib.Path) -> tuple[str, ...]:
        told = work / "told"
        told.mkdir(mode=0o700)
        self._layout.owner.give(told)
        since = () if base is None else (f"--incremental-lsn={int(base['to_lsn'])}",)
        return (
            self._layout.program("mariadb-backup"),
            f"--defaults-file={login}",
            "--backup",
            "--stream=mbstream",
            f"--datadir={self._layout.data}",
            f"--extra-lsndir={told}",
            f"--target-dir={told}",
            f"--tmpdir={self._layout.temporary}",
            "--no-version-check",
            f"--log-copy-interval={_LOG_INTERVAL}",
            *since,
        )

    def _dump(self, login: pathlib.Path) -> tuple[str, ...]:
        return (
            self._layout.program("mariadb-dump"),
            f"--defaults-file={login}",
            "--all-databases",
            "--single-transaction",
            "--routines",
            "--events",
            "--triggers",
            "--hex-blob",
            "--quick",
        )

    def _restore_files(self, settings: Settings, chain: Sequence[Link], run: RunSteps) -> None:
        """The full copy, made consistent, then each difference applied to it."""
        restored, layout = self._layout.restored, self._layout
        layout.make_directories()
        if settings.overrides:
            trial.parse(settings, layout)
        if not layout.installed.exists() and not (layout.data.exists() and not restored.exists()):
            run(self._steps(restored, chain, settings))
        self._lifecycle.adopt(settings, restored)

    def _steps(self, restored: pathlib.Path, chain: Sequence[Link], settings: Settings) -> list[Step]:
        difference = restored.with_name(".difference")
        steps = self._extract(restored, chain[0])
        steps.append(self._prepare(restored, settings))
        for link in chain[1:]:
            steps += self._extract(difference, link)
            steps.append(self._prepare(restored, settings, f"--incremental-dir={difference}"))
            steps.append({"do": "remove", "path": str(difference)})
        return steps

    def _extract(self, target: pathlib.Path, link: Link) -> list[Step]:
        command = [self._layout.program("mbstream"), "--extract", f"--directory={target}"]
        return [
            {"do": "make", "path": str(target), "user": self._user},
            {**link.receive, "do": "receive", "command": command, "user": self._user},
        ]

    def _prepare(self, target: pathlib.Path, settings: Settings, *more: str) -> Step:
        memory = min(max(settings.ram // 2, _LEAST_PREPARE), _MOST_PREPARE)
        command = [
            self._layout.program("mariadb-backup"),
            "--no-defaults",
            "--prepare",
            f"--use-memory={memory}M",
            f"--target-dir={target}",
            f"--tmpdir={self._layout.temporary}",
            *more,
        ]
        return {"do": "run", "command": command, "user": self._user}

    def _restore_dump(self, settings: Settings, link: Link, run: RunSteps) -> None:
        """Into an empty server. The dump has the accounts too, so dbflow's own is made anew by a start after it."""
        self._lifecycle.install(settings, lambda fraction: None)
        login = self._layout.runtime / "restore.cnf"
        write_login(self._layout, login)
        try:
            command = [self._layout.program("mariadb"), f"--defaults-file={login}", "--binary-mode"]
            run([{**link.receive, "do": "receive", "command": command, "user": self._user}])
        finally:
            login.unlink(missing_ok=True)
        self._lifecycle.restart(START_TIMEOUT)
        self._lifecycle.begin_history()

    @property
    def _user(self) -> tuple[int, int] | None:
        owner = self._layout.owner
        return (owner.uid, owner.gid) if owner.switch else None


def _told(work: pathlib.Path, what: str) -> str:
    """A file that mariadb-backup leaves beside its stream; its name depends on the release."""
    for prefix in ("mariadb_backup", "xtrabackup"):
        path = work / "told" / f"{prefix}_{what}"
        if path.exists():
            return path.read_text(errors="replace")
    raise DatastoreError(f"mariadb-backup did not write its {what}.")

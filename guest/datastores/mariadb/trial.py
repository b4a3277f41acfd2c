# SPDX-License-Identifier: Apache-2.0
"""Whether a server would take values, found out without changing anything.

A server that prints its help reads its whole configuration first, and says what is wrong with it. A running server
checks all of a SET before it does any of it, so one that ends with a variable nobody can set is checked and never
done.
"""

import pathlib
import re
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

import pymysql
from pymysql.constants import ER

from dbflow.datastores.mariadb_tuning import MIB
from guest.datastores.base import DatastoreError, Settings
from guest.datastores.mariadb import config, programs, quoting
from guest.datastores.mariadb.client import Session, explain
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.log import reason

PREFIX = ".trial-"
"""What the names of directories for trials begin with; what the agent's death has left is removed at its start."""
TIMEOUT = 60.0
"""Seconds; it takes a tenth of one."""
_MEMORY = (
    "innodb_buffer_pool_size",
    "innodb_log_buffer_size",
    "key_buffer_size",
    "aria_pagecache_buffer_size",
    "query_cache_size",
)
"""What a server takes at its start, in bytes."""
_PERFORMANCE_SCHEMA = 128 * MIB
"""What it takes for that where it is on, about, with its usual sizes."""
_LEAST_ROOM = 256
"""MiB of addresses; a server that reads its configuration needs some 150."""
_NEVER = "version_comment"
_ADJUSTED = re.compile(
    r"\[Warning\] (?:Buffered warning: )?(option '.+ adjusted to .+|Performance schema disabled \(.+\))"
)
_LOWERED = re.compile(r"(?P<told>max_connections|table_cache): (?P<now>\d+) \(was (?P<was>\d+)\)")
_TOLD_AS = {"table_cache": "table_open_cache"}


def parse(settings: Settings, layout: Layout) -> None:
    """Let a server read these settings; DatastoreError says what it does not take."""
    config.check_names(settings, layout)
    wanted = config.effective(settings, layout.disk)
    _must_fit(wanted, settings, layout)
    try:
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=layout.temporary) as place:
            candidate = pathlib.Path(place) / "server.cnf"
            candidate.write_text(config.text(wanted), encoding="utf-8")
            for path in (candidate.parent, candidate):
                layout.owner.give(path)
            said, fine = _read(candidate, layout, max(_LEAST_ROOM, settings.ram // 2))
    except OSError as error:
        raise DatastoreError(f"The configuration could not be checked: {error.strerror}.") from None
    _judge(said, fine, settings)


def _judge(said: str, fine: bool, settings: Settings) -> None:
    adjusted = _ADJUSTED.search(said)
    if "[ERROR]" in said:
        raise DatastoreError(f"The database server refused: {reason(said)}")
    if adjusted:
        raise DatastoreError(f"The database server refused: {adjusted[1]}.")
    for lowered in _LOWERED.finditer(said):
        name = _TOLD_AS.get(lowered["told"], lowered["told"])
        if name in settings.overrides and int(lowered["now"]) < int(lowered["was"]):
            raise DatastoreError(
                f"The database server would lower {name} from {lowered['was']} to {lowered['now']} at its start, since"
                " it may not open that many files."
            )
    if not fine:
        raise DatastoreError(f"The database server refused: {said.strip().rpartition(chr(10))[2][-300:]}")


def rehearse(session: Session, assignments: Mapping[str, str]) -> None:
    """See whether the server would take ``SET GLOBAL name = expression`` of all of these."""
    if not assignments:
        return
    try:
        session.run(setting({**assignments, _NEVER: quoting.literal("")}))
    except pymysql.MySQLError as refusal:
        if refusal.args[0] != ER.INCORRECT_GLOBAL_LOCAL_VAR or _NEVER not in str(refusal):
            raise explain(refusal) from None
    else:
        raise DatastoreError("The database server did not check the values.")


def setting(assignments: Mapping[str, str]) -> str:
    """The statement that sets all of these or, when the server refuses one, none."""
    return "SET " + ", ".join(f"GLOBAL {name} = {expression}" for name, expression in assignments.items())


def _must_fit(wanted: Mapping[str, Any], settings: Settings, layout: Layout) -> None:
    """A server asks the machine for these when it starts, and does not start when it does not get them."""
    memory = sum(int(wanted.get(name, 0)) for name in _MEMORY)
    if wanted.get("performance_schema"):
        memory += _PERFORMANCE_SCHEMA
    if memory > settings.ram * MIB:
        largest = max(_MEMORY, key=lambda name: int(wanted.get(name, 0)))
        raise DatastoreError(
            f"The database server would take {memory // MIB} MiB of memory at its start ({largest} is the largest"
            f" part of it), and the machine has {settings.ram} MiB."
        )
    if int(wanted["innodb_log_file_size"]) > layout.disk * MIB // 2:
        raise DatastoreError("innodb_log_file_size is more than half of the volume.")


def _read(candidate: pathlib.Path, layout: Layout, room: int) -> tuple[str, bool]:
    """(what a server says while it reads a configuration, whether it could); it gets ``room`` MiB of addresses, since
    it makes its performance schema before it looks what it was asked for."""
    try:
        done = subprocess.run(
            [
                programs.find("prlimit"),
                f"--as={room * MIB}",
                layout.program("mariadbd"),
                f"--defaults-file={candidate}",
                # Not that of the server that runs, whose files are its own.
                f"--datadir={candidate.parent}",
                "--verbose",
                "--help",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
            cwd="/",
            **programs.as_user(layout.owner),
        )
    except subprocess.TimeoutExpired:
        raise DatastoreError(f"The configuration could not be checked within {TIMEOUT:g} s.") from None
    return done.stderr, done.returncode == 0

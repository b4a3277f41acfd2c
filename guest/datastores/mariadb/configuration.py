# SPDX-License-Identifier: Apache-2.0
"""The values of a configuration group on MariaDB."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pymysql

from guest.datastores import base
from guest.datastores.base import DatastoreError, Settings
from guest.datastores.mariadb import config, quoting, trial
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.server import Server

Values = Mapping[str, Any]


class Configuration(base.Configuration):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client, server: Server) -> None:
        self._layout, self._client, self._server = layout, client, server

    def check(self, settings: Settings) -> None:
        """See the base class."""
        trial.parse(settings, self._layout)
        if self._server.process() is not None:
            wanted = config.effective(settings, self._layout.disk)
            with self._client.session() as session:
                trial.rehearse(session, _assignments(wanted, _dynamic(session, settings.overrides)))

    def apply(self, settings: Settings, instead_of: Settings) -> bool:
        """See the base class. Run again after the agent's death in its middle, it does the same once more."""
        wanted = config.effective(settings, self._layout.disk)
        before = config.effective(instead_of, self._layout.disk)
        if not self._layout.started.exists():
            write(self._layout.started, self._layout.config.read_text(encoding="utf-8"))
        self._write(settings)
        if self._server.process() is None:
            return False
        changed = sorted(name for name in wanted.keys() | before.keys() if wanted.get(name) != before.get(name))
        try:
            with self._client.session() as session:
                self._take(session, _dynamic(session, changed), wanted, before)
                return self._waits_for_a_restart(session)
        except DatastoreError:
            self._write(instead_of)
            raise

    def _write(self, settings: Settings) -> None:
        write(self._layout.config, config.render(settings, self._layout, self._layout.disk), self._layout.owner)

    def _take(self, session: Session, names: list[str], wanted: Values, before: Values) -> None:
        """All of them, or none."""
        if not names:
            return
        try:
            session.run(trial.setting(_assignments(wanted, names)))
        except pymysql.MySQLError:
            # What was checked may still fail half-way, where memory is short for one.
            session.run(trial.setting(_assignments(before, names)))
            raise

    def _waits_for_a_restart(self, session: Session) -> bool:
        """Whether the file says something else of a parameter that can't be changed now than when the server was
        started."""
        at_start, now = (
            _lines(path.read_text(encoding="utf-8")) for path in (self._layout.started, self._layout.config)
        )
        changed = [name for name in at_start.keys() | now.keys() if at_start.get(name) != now.get(name)]
        return bool(set(changed) - set(_dynamic(session, changed)))


def _assignments(values: Values, names: Sequence[str]) -> dict[str, str]:
    """Name -> the expression that gives it its value, or what the server has without one. Those come first, since a
    character set brings its collation."""
    defaults = {name: "DEFAULT" for name in names if name not in values}
    return defaults | {name: _expression(values[name]) for name in names if name in values}


def _expression(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int | float) else quoting.literal(str(value))


def _dynamic(session: Session, names: Iterable[str]) -> list[str]:
    """Those that a running server takes, in the order of their names: what depends on another (a collation on its
    character set, a largest value on the usual one) comes after it."""
    wanted = ", ".join(quoting.literal(name.upper()) for name in names)
    if not wanted:
        return []
    rows = session.rows(
        "SELECT VARIABLE_NAME FROM information_schema.SYSTEM_VARIABLES"
        f" WHERE READ_ONLY = 'NO' AND VARIABLE_NAME IN ({wanted}) ORDER BY VARIABLE_NAME"
    )
    return [str(name).lower() for (name,) in rows]


def _lines(text: str) -> dict[str, str]:
    """Name -> what an option file says of it."""
    pairs = (line.split(" = ", 1) for line in config.lines_of(text) if " = " in line)
    return dict(pairs)

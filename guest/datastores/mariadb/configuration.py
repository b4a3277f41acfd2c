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
        try:
            return self._change(settings, instead_of)
        except DatastoreError:
            self._write(instead_of)
            raise

    def undo(self, settings: Settings, back_to: Settings) -> None:
        """See the base class."""
        self._change(back_to, settings)

    def _change(self, settings: Settings, instead_of: Settings) -> bool:
        """The file first: it is what the next start, whenever that is, goes by."""
        if not self._layout.started.exists():
            write(self._layout.started, self._layout.config.read_text(encoding="utf-8"))
        self._write(settings)
        if self._server.process() is None:
            return False
        wanted = config.effective(settings, self._layout.disk)
        before = config.effective(instead_of, self._layout.disk)
        with self._client.session() as session:
            self._take(session, wanted, before)
            return waits_for_a_restart(self._layout, session)

    def _write(self, settings: Settings) -> None:
        try:
            text = config.render(settings, self._layout, self._layout.disk)
            write(self._layout.config, text, self._layout.owner)
        except OSError as error:
            raise DatastoreError(f"The configuration could not be written: {error.strerror}.") from None

    def _take(self, session: Session, wanted: Values, before: Values) -> None:
        """All of them, or none."""
        try:
            _set(session, wanted, before)
        except pymysql.MySQLError:
            # What was checked may still fail half-way, where memory is short for one.
            _set(session, before, wanted)
            raise


def waits_for_a_restart(layout: Layout, session: Session) -> bool:
    """Whether the file says something else of a parameter that can't be changed now than when the server was
    started."""
    started, wanted = (path.read_text(encoding="utf-8") for path in (layout.started, layout.config))
    if started == wanted:
        return False
    at_start, now = _lines(started), _lines(wanted)
    changed = [name for name in at_start.keys() | now.keys() if at_start.get(name) != now.get(name)]
    return bool(set(changed) - set(_dynamic(session, changed)))


def _set(session: Session, wanted: Values, before: Values) -> None:
    """What is to be other than before, and what the server has other than it should: it changes some along with
    others, and would not change them back with these."""
    now = {
        str(name).lower(): str(value)
        for name, value in session.rows("SELECT VARIABLE_NAME, GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES")
    }
    changed = {name for name in wanted.keys() | before.keys() if wanted.get(name) != before.get(name)}
    astray = {name for name, value in wanted.items() if name in now and not _same(value, now[name])}
    names = _dynamic(session, changed | astray)
    if names:
        session.run(trial.setting(_assignments(wanted, names)))


def _same(value: Any, told: str) -> bool:
    """Whether the server has the value, by how it tells it."""
    if isinstance(value, bool):
        return told == ("ON" if value else "OFF")
    if isinstance(value, int | float):
        return told.replace(".", "", 1).lstrip("-").isdigit() and float(told) == float(value)
    return told.casefold() == str(value).casefold()


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

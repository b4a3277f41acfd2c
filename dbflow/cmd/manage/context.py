# SPDX-License-Identifier: Apache-2.0
"""What every sub-command works with: configuration, database, keys, and where answers go."""

import argparse
import contextlib
import datetime
import functools
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from prettytable import PrettyTable, TableStyle
from sqlalchemy.orm import Session

from dbflow import conf
from dbflow.crypto import Keyring
from dbflow.db.models import Operation
from dbflow.db.session import Database


class ManageError(Exception):
    """Ends the command with this message and status 1."""


class Context:
    """Made of the command's arguments; connects to nothing before it is asked to."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.as_json = arguments.format == "json"
        self.conf = _configuration(arguments)

    @functools.cached_property
    def database(self) -> Database:
        """dbflow's own state."""
        return Database.from_conf(self.conf)

    @functools.cached_property
    def keyring(self) -> Keyring:
        """ManageError when the keys can't be read."""
        try:
            return Keyring.from_file(self.conf.security.key_file)
        except OSError as error:
            raise ManageError(f"the keys can't be read: {error}") from None

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads; ManageError when the database is not there or has no schema."""
        with explained(), self.database.read() as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes."""
        with explained(), self.database.write() as session:
            yield session

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print rows, as a table or a JSON list of objects."""
        if self.as_json:
            keys = [column.lower().replace(" ", "_") for column in columns]
            self.json([dict(zip(keys, row, strict=True)) for row in rows])
            return
        table = PrettyTable([*columns])
        table.set_style(TableStyle.SINGLE_BORDER)
        table.align = "l"
        table.add_rows([[_shown(value) for value in row] for row in rows])
        print(table)

    def record(self, fields: dict[str, Any]) -> None:
        """Print one thing."""
        if self.as_json:
            self.json(fields)
        else:
            width = max(map(len, fields))
            print("\n".join(f"{name:<{width}}  {_shown(value)}" for name, value in fields.items()))

    def json(self, value: Any) -> None:
        """Print a value as JSON; times in ISO 8601."""
        print(json.dumps(value, indent=2, default=str))

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        print(text, file=sys.stderr)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    # Names are their users' own; a control character in one must not steer the terminal.
    return "".join(char if char.isprintable() else "�" for char in str(value))


def _configuration(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    files, folders = list(arguments.config_file), list(arguments.config_dir)
    if arguments.state_dir is not None:
        own = pathlib.Path(arguments.state_dir) / "dbflow.conf"
        if not own.exists():
            raise ManageError(f"there is no {own}: has dbflow-standalone been started with this --state-dir?")
        files.insert(0, str(own))
    found = conf.register(cfg.ConfigOpts())
    options: dict[str, Any] = {"default_config_files": files} if files else {}
    if folders:
        options["default_config_dirs"] = folders
    try:
        found([], project="dbflow", **options)
    except cfg.Error as error:
        raise ManageError(str(error)) from None
    return found


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """ManageError when the database is not there or has no schema."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise ManageError(f"the database: {error.orig} (see: dbflow-manage db version)") from None


def find_operation(session: Session, reference: str, *, lock: bool = False) -> Operation:
    """An operation by its id, the beginning of its id, or (its newest) the id of what it works on."""
    query = sa.select(Operation).order_by(Operation.created.desc(), Operation.id)
    if lock:
        query = query.with_for_update()
    exact = session.scalars(query.where(sa.or_(Operation.id == reference, Operation.target_id == reference)).limit(1))
    if (found := exact.first()) is not None:
        return found
    several = session.scalars(query.where(Operation.id.startswith(reference, autoescape=True)).limit(2)).all()
    if len(several) != 1:
        raise ManageError(f"{'several operations begin' if several else 'no operation begins'} with {reference!r}")
    return several[0]

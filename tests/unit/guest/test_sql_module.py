# SPDX-License-Identifier: Apache-2.0
"""Modules of the type sql: which part is run when, and what is asked where nothing may be written."""

import types
from typing import Any

import pytest

from guest.datastores.base import DatastoreError, Unsupported
from guest.modules.sql import TIMEOUT, Sql

BOTH, ONE = b"CREATE DATABASE d;\n-- undo\nDROP DATABASE d;\n", b"CREATE DATABASE d"


class Scripts:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def ready(self) -> None:
        self.calls.append("ready")

    def settle(self) -> None:
        self.calls.append("settle")

    def run(self, text: str, timeout: float) -> int:
        self.calls.append((text.strip(), timeout))
        return 1


class Replication:
    def __init__(self, *, is_open: bool) -> None:
        self._open = is_open

    def must_be_open(self) -> None:
        if not self._open:
            raise DatastoreError("read-only")


@pytest.fixture
def scripts() -> Scripts:
    return Scripts()


def datastore(scripts: Scripts | None, *, is_open: bool = True) -> Any:
    return types.SimpleNamespace(scripts=scripts, replication=Replication(is_open=is_open))


def test_each_part(scripts: Scripts) -> None:
    assert Sql().apply(BOTH, datastore(scripts)) == "1 statement run"
    Sql().remove(BOTH, datastore(scripts))
    assert scripts.calls == [("CREATE DATABASE d;", TIMEOUT), ("DROP DATABASE d;", TIMEOUT)]


def test_readiness_runs_nothing(scripts: Scripts) -> None:
    Sql().ready(datastore(scripts))
    assert scripts.calls == ["ready"]


@pytest.mark.parametrize("is_open", [True, False])
def test_without_a_second_part_the_first_one_is_ended_all_the_same(scripts: Scripts, is_open: bool) -> None:
    """Its agent may have died, and the server goes on."""
    Sql().remove(ONE, datastore(scripts, is_open=is_open))
    assert scripts.calls == ["settle"]


def test_nothing_is_run_where_nothing_may_be_written(scripts: Scripts) -> None:
    closed = datastore(scripts, is_open=False)
    for ask in (lambda: Sql().ready(closed), lambda: Sql().apply(ONE, closed), lambda: Sql().remove(BOTH, closed)):
        with pytest.raises(DatastoreError, match="read-only"):
            ask()
    assert scripts.calls == []
    with pytest.raises(Unsupported):
        Sql().ready(datastore(None))

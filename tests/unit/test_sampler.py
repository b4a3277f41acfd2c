# SPDX-License-Identifier: Apache-2.0
"""Who looks for two writable members sees them, and takes no change of places for that."""

from collections.abc import Callable
from typing import Any, Self, cast

import pymysql
import pytest
from pymysql.constants import CR, ER

from tests.sampler import Members, Sampler


class Server:
    """A member as its clients see it: connection and cursor in one."""

    def __init__(self, writable: bool, on_look: Callable[[], None] = lambda: None) -> None:
        self.says = self.takes = writable
        self.down = self.waits = False
        self.rows: list[int] = []
        self.on_look = on_look
        """What happens elsewhere once it was looked at."""
        self._open: list[int] = []

    def connect(self) -> Any:
        if self.down:
            raise pymysql.OperationalError(CR.CR_CONN_HOST_ERROR, "refused")
        self._open = self.rows
        return self

    def begin(self) -> None:
        self._open = []

    def rollback(self) -> None:
        self._open = self.rows

    def execute(self, statement: str, arguments: tuple[int, ...] = ()) -> None:
        if not arguments:
            return
        if not self.takes:
            raise pymysql.OperationalError(ER.OPTION_PREVENTS_STATEMENT, "read-only")
        if self.waits:
            raise pymysql.OperationalError(CR.CR_SERVER_LOST, "timed out")
        self._open.append(*arguments)

    def fetchall(self) -> tuple[tuple[int]]:
        return ((int(not self.says),),)

    def close(self) -> None:
        self.on_look()

    def cursor(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """A cursor's end."""


def seen(*servers: Server, keeps: bool = True, members: Callable[[], Members] | None = None) -> list[str]:
    """Violations, without their time, of a single round."""
    named = {f"member-{number}": server.connect for number, server in enumerate(servers, 1)}
    sampler = Sampler(members or (lambda: cast(Members, named)), keeps)
    sampler.look()
    return [text.split(" ", 1)[1] for text in sampler.violations]


def test_two_writable_members() -> None:
    assert seen(Server(True), Server(False)) == []
    assert seen(Server(True), Server(False), Server(True)) == ["two writable members: member-1, member-3"]


def test_two_that_say_so_and_let_commits_wait() -> None:
    one, other = Server(True), Server(True)
    one.waits = other.waits = True
    assert seen(one, other) == ["two writable members: member-1, member-2"]


def test_one_that_takes_writes_and_says_that_it_is_read_only() -> None:
    source, replica = Server(True), Server(False)
    replica.takes = True
    assert seen(source, replica) == [
        "member-2 takes writes, and says that it is read-only",
        "two writable members: member-1, member-2",
    ]


def test_one_that_is_open_just_for_the_write() -> None:
    source, replica = Server(True), Server(False)
    replica.takes = True

    def end() -> None:
        replica.takes = False

    replica.on_look = end
    assert seen(source, replica) == []


def test_places_that_are_changed_between_two_looks() -> None:
    old, new = Server(True), Server(False)

    def change() -> None:
        old.says, old.takes, new.says, new.takes = False, False, True, True

    old.on_look = change
    assert seen(old, new) == []


def test_one_that_is_down() -> None:
    one, other = Server(True), Server(True)
    other.down = True
    assert seen(one, other) == []


@pytest.mark.parametrize("leaves", [True, False])
def test_one_that_left_the_set_while_it_was_looked_at(leaves: bool) -> None:
    stays, other = Server(True), Server(True)
    sets = iter([{"stays": stays, "other": other}, {"stays": stays} if leaves else {"stays": stays, "other": other}])
    found = seen(members=lambda: {name: server.connect for name, server in next(sets).items()})
    assert found == ([] if leaves else ["two writable members: stays, other"])


def test_what_is_written_is_kept_or_taken_back() -> None:
    source = Server(True)
    seen(source, keeps=False)
    assert source.rows == []
    sampler = Sampler(lambda: {"source": source.connect})
    sampler.look()
    assert source.rows == sampler.acknowledged
    assert len(source.rows) == 1


def test_the_whole_block_is_watched() -> None:
    one, other = Server(True), Server(False)
    with Sampler(lambda: {"one": one.connect, "other": other.connect}) as sampler:
        sampler.wait_more(2)
    assert sampler.violations == []
    with Sampler(lambda: {"one": one.connect, "other": other.connect}) as sampler:
        sampler.wait_more(2)
        other.says = other.takes = True
        sampler.wait_more(4)
    (told,) = sampler.violations
    assert told.endswith("two writable members: one, other")


def test_a_set_of_which_nobody_is_ever_writable() -> None:
    with Sampler(lambda: {"one": Server(False).connect}) as sampler:
        pass
    assert sampler.violations == [f"{sampler.violations[0].split()[0]} nobody was ever writable"]


def test_a_sampler_that_breaks() -> None:
    def members() -> Members:
        raise KeyError("gone")

    with Sampler(members) as sampler:
        pass
    assert "KeyError: 'gone'" in sampler.violations[0]

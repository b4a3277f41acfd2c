# SPDX-License-Identifier: Apache-2.0
"""What the shared suite must know of an engine to look at it from outside."""

import abc
import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from guest.datastores.base import DatabaseSpec, Machine


class LoginRefused(Exception):
    """The server did not let the client in."""


class Refused(Exception):
    """The server refused a statement."""


class Kit(abc.ABC):
    """One plug-in under test."""

    manager: str
    program: str
    """Name of the server's process."""
    pid_file: str
    """Below the run directory."""
    odd_names: Sequence[str]
    """Names that a database and a user may have."""
    odd_hosts: Sequence[str]
    """Hosts a user may be made for."""
    specs: Sequence[DatabaseSpec]
    """Databases with character sets as the server will tell them."""
    override: tuple[str, Any, str]
    """A parameter, a value for it in a configuration group, and how the running server shows that."""
    log_everything: Sequence[str]
    """Statements of the administrator that make the server log every statement."""
    secret_files: Sequence[str]
    """Names of the files in which the agent keeps its own secrets."""
    broken: tuple[dict[str, Any], str]
    """Overrides with which the server can't start, and a word of the reason it gives."""

    @abc.abstractmethod
    def query(
        self, machine: Machine, user: str, password: str, statement: str, database: str | None = None
    ) -> list[tuple[Any, ...]]:
        """What a client of the network gets. LoginRefused, Refused."""

    @abc.abstractmethod
    def write_row(self, machine: Machine, user: str, password: str, database: str, text: str) -> list[str]:
        """Store a text in a table of the database (made if need be) and return all texts stored there."""

    @abc.abstractmethod
    def show(self, machine: Machine, user: str, password: str, parameter: str) -> str:
        """The running server's value of a parameter."""

    @abc.abstractmethod
    def memory_parameter(self, ram: int) -> tuple[str, str]:
        """A parameter that follows the flavor, and the running server's value with ``ram`` MiB."""

    @abc.abstractmethod
    def log_the_agent(self, patched: pytest.MonkeyPatch) -> None:
        """Have that log hold the agent's own statements, too, which it otherwise leaves out."""

    @abc.abstractmethod
    def logged(self, machine: Machine) -> list[str]:
        """What the server's log of statements holds."""

    @abc.abstractmethod
    def die_at(self, statement: int) -> None:
        """Let this process end, as by SIGKILL, right before its n-th statement from now (counted from 0)."""

    @abc.abstractmethod
    def fill(self, machine: Machine, user: str, password: str, database: str, size: int) -> None:
        """Put so many MiB into a table, of what no compression makes smaller."""

    @abc.abstractmethod
    def writing(
        self, machine: Machine, user: str, password: str, database: str
    ) -> "contextlib.AbstractContextManager[Load]":
        """Somebody writes in the database, as fast as it goes, until the end of the block."""

    @abc.abstractmethod
    def written(self, machine: Machine, user: str, password: str, database: str) -> "Written":
        """What a load has left in a database."""


class Load(Protocol):
    """Somebody who writes."""

    @property
    def written(self) -> int:
        """Transactions that are acknowledged."""

    def longest(self, since: int = 0) -> float:
        """Seconds that the slowest of them took, of those after the first ``since``."""

    def wait_more(self) -> int:
        """Until some more transactions are; how many they are in all."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What is there of a load's transactions."""

    count: int
    consistent: bool
    """None is there in part, and none is missing before another one."""

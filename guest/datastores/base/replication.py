# SPDX-License-Identifier: Apache-2.0
"""Sets of servers with the same data."""

import abc
import dataclasses
import threading


@dataclasses.dataclass(frozen=True)
class Origin:
    """The server that a replica follows."""

    address: str
    port: int
    password: str = dataclasses.field(repr=False)
    """Of the account that replicas log in with."""
    tls: bool = False
    """Whether it has a certificate that it was given."""


class Replication(abc.ABC):
    """Follow another server, and be followed.

    A server is alone, a source or a replica, and it is writable or not; it keeps both over its restarts. ``timeout``
    is in seconds; DatastoreError when it passes.
    """

    @abc.abstractmethod
    def bound(self) -> None:
        """Throw away what is kept for replicas beyond its share of the disk. Called every few seconds, beside
        everything else."""

    @abc.abstractmethod
    def admit(self, password: str) -> None:
        """As a source, let replicas log in with this password."""

    @abc.abstractmethod
    def acknowledge(self, fallback: float) -> None:
        """From now on a commit returns when a replica has it, or, where that is not 0, after ``fallback`` seconds."""

    @abc.abstractmethod
    def relax(self) -> None:
        """From now on a commit waits for nobody."""

    @abc.abstractmethod
    def dismiss(self) -> None:
        """Nobody replicates from it any more: it is writable, commits do not wait, and replicas can't log in. One that
        is a replica itself is left alone."""

    @abc.abstractmethod
    def expect(self) -> None:
        """On a fresh machine: the server that is made there will be a replica, read-only from its first moment."""

    @abc.abstractmethod
    def follow(self, origin: Origin, position: str | None = None, timeout: float | None = None) -> None:
        """As a replica, take what ``origin`` has from where this server stands; a fresh copy stands at ``position``.
        With a ``timeout``: return when it takes it."""

    @abc.abstractmethod
    def leave(self) -> None:
        """Follow nobody; it stays read-only."""

    @abc.abstractmethod
    def settle(self, timeout: float, interrupted: threading.Event | None = None) -> None:
        """Take nothing more, and apply all that was taken. Interrupted, soon, once that is set."""

    @abc.abstractmethod
    def resume(self) -> None:
        """After ``settle``: take again what the source has, should that answer."""

    @abc.abstractmethod
    def source(self) -> tuple[str, int, bool] | None:
        """Address and port of the server that it follows, and whether it does so by TLS."""

    @abc.abstractmethod
    def hold(self, timeout: float) -> None:
        """Read-only from now on, with no client connected who began before."""

    @abc.abstractmethod
    def open(self) -> None:
        """Writable from now on: as a source when others follow it, else alone. DatastoreError on a machine that is
        fenced: another one took its place."""

    @abc.abstractmethod
    def reopen(self) -> None:
        """Writable again after ``hold``; one that is a replica by now is left alone."""

    @abc.abstractmethod
    def must_be_open(self) -> None:
        """DatastoreError while it is read-only: dbflow itself may write then, and nobody else would have it."""

    @abc.abstractmethod
    def position(self) -> str:
        """Up to where it has everything."""

    @abc.abstractmethod
    def catch_up(self, position: str, timeout: float) -> None:
        """Return when it has everything up to there."""

    @abc.abstractmethod
    def behind(self, within: float) -> float:
        """Seconds that a replica is behind its source, or more; 0 where it applies within so many seconds all that it
        has received by now. Away while it does not reach its source; DatastoreError where it does not apply any
        more."""

    @abc.abstractmethod
    def reach(self, origin: Origin) -> bool:
        """Whether a replica of ``origin`` has received, not applied, all that is there now."""

    @abc.abstractmethod
    def overtake(self, origin: Origin, timeout: float) -> None:
        """Follow ``origin``, and return when it has everything that one has now. Away when that one does not answer
        within the time."""

# SPDX-License-Identifier: Apache-2.0
"""What a datastore plug-in of the guest is made of: small interfaces, composed.

What an engine can't do it leaves ``None`` in :class:`Datastore`; the API then answers as Trove does. Every
method is idempotent: it may be run again after a crash in its middle. Passwords arrive as arguments of Python
calls only; they must not reach argv, the environment, logs, or files readable by others.
"""

import abc
import dataclasses
import enum
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

Progress = Callable[[float], None]
"""Told a fraction from 0 to 1."""


CLOUD_MARK = "DBFLOW_"


def cloud_marks() -> dict[str, str]:
    """The part of the agent's environment that every process it starts must keep: the local cloud finds by it what
    belongs to a server, whoever adopts it. Nor may a process that outlives the agent inherit its descriptors."""
    return {name: value for name, value in os.environ.items() if name.startswith(CLOUD_MARK)}


class DatastoreError(Exception):
    """The server refused or failed; ``str()`` is fit for a user to read and holds no secret."""


class AlreadyExists(DatastoreError):
    """A database or user of that name is there already."""


class NotFound(DatastoreError):
    """No such database or user."""


class Away(DatastoreError):
    """Another server, which has to be asked, does not answer."""


class Unsupported(DatastoreError):
    """The engine can't do this."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where the plug-in works: read from the guest's configuration at start."""

    instance_id: str
    address: str
    """IPv4 address the server listens on."""
    port: int
    data_dir: pathlib.Path
    """Mount point of the data volume; everything that must outlive the machine is below it."""
    run_dir: pathlib.Path
    """Sockets and pid files; may be lost at a reboot. Its path is short enough for a Unix socket."""
    log_dir: pathlib.Path
    run_as: str | None
    """User the server must run as when the agent is root; None when the agent is unprivileged itself."""
    image_dir: pathlib.Path | None = None
    """A prepared data directory of the engine to copy from, where the image carries one."""
    programs: pathlib.Path | None = None
    """Where the engine's programs are looked for first."""
    fenced: bool = False
    """Nobody may write to the database: another one has taken its place."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the configuration of the server is rendered from."""

    ram: int
    """MiB of the flavor"""
    vcpus: int
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Parameters of the attached configuration group."""


@dataclasses.dataclass(frozen=True)
class DatabaseSpec:
    """A database to make."""

    name: str
    character_set: str | None = None
    collate: str | None = None


@dataclasses.dataclass(frozen=True)
class UserSpec:
    """A user to make or change."""

    name: str
    password: str = dataclasses.field(repr=False)
    host: str = "%"
    databases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class User:
    """A user as the server knows it."""

    name: str
    host: str
    databases: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Health:
    """One look at the server, cheap enough for every heartbeat."""

    service_status: str
    """A name of dbflow.status.Service."""
    version: str | None
    position: str | None = None
    load: Mapping[str, float] = dataclasses.field(default_factory=dict)
    locked_out: bool = False
    """It runs, but somebody took the agent's own rights away; ``resume`` gets them back."""
    restart_required: bool | None = None
    """Whether it would run with other values after a restart; None when that is not known."""


class Lifecycle(abc.ABC):
    """Install, start, stop."""

    @abc.abstractmethod
    def install(self, settings: Settings, progress: Progress) -> None:
        """Make a secured server in an empty data directory, running when this returns."""

    @abc.abstractmethod
    def configure(self, settings: Settings) -> None:
        """Write the server's configuration; takes effect at the next start."""

    @abc.abstractmethod
    def start(self, timeout: float) -> None:
        """Start and wait until it answers; fine when it runs. DatastoreError with the log's reason else."""

    @abc.abstractmethod
    def stop(self, timeout: float) -> None:
        """Stop cleanly, by force after ``timeout`` seconds; fine when it is stopped."""

    @abc.abstractmethod
    def restart(self, timeout: float) -> None:
        """Stop, then start."""

    @abc.abstractmethod
    def health(self) -> Health:
        """Never raises; answers within 3 seconds."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Called when the agent starts, and when the server died or locked it out: bring the server up again, obeying
        the agent, if it was installed and not stopped on purpose; does nothing on a fresh machine."""

    @abc.abstractmethod
    def build_image(self, target: pathlib.Path) -> None:
        """Prepare a data directory that ``install`` can copy (no secrets in it); target must not exist."""


class Accounts(abc.ABC):
    """Databases, users, grants. Names are checked by the API; reserved ones never arrive."""

    @abc.abstractmethod
    def list_databases(self) -> list[DatabaseSpec]:
        """By name, without the engine's own."""

    @abc.abstractmethod
    def create_databases(self, databases: Sequence[DatabaseSpec], *, if_missing: bool = False) -> None:
        """AlreadyExists names the first that is there; then nothing was made. With ``if_missing`` only those that
        are not there are made, and there is no such error."""

    @abc.abstractmethod
    def delete_database(self, name: str) -> None:
        """NotFound when it is not there."""

    @abc.abstractmethod
    def list_users(self) -> list[User]:
        """By name and host, without the engine's own and dbflow's."""

    @abc.abstractmethod
    def get_user(self, name: str, host: str) -> User:
        """NotFound when it is not there."""

    @abc.abstractmethod
    def create_users(self, users: Sequence[UserSpec], *, if_missing: bool = False) -> None:
        """AlreadyExists names the first that is there; then nothing was made. Grants each its databases, which need
        not be there yet. With ``if_missing`` those that are there get password and grants, and no such error."""

    @abc.abstractmethod
    def update_user(
        self, name: str, host: str, *, new_name: str | None, new_host: str | None, password: str | None
    ) -> None:
        """Rename and/or change the password. NotFound; AlreadyExists when the new name is taken."""

    @abc.abstractmethod
    def set_passwords(self, users: Sequence[UserSpec]) -> None:
        """Change passwords; NotFound names the first user that is not there, and nothing was changed."""

    @abc.abstractmethod
    def delete_user(self, name: str, host: str) -> None:
        """NotFound when it is not there."""

    @abc.abstractmethod
    def grant(self, name: str, host: str, databases: Sequence[str]) -> None:
        """All rights on each database. NotFound for the user or a database."""

    @abc.abstractmethod
    def revoke(self, name: str, host: str, database: str) -> None:
        """NotFound when the user has no such grant."""

    @abc.abstractmethod
    def enable_root(self, password: str) -> str:
        """Let the administrator in from anywhere with this password. Returns the administrator's name."""

    @abc.abstractmethod
    def disable_root(self) -> None:
        """Take that away again."""

    @abc.abstractmethod
    def root_enabled(self) -> bool:
        """Whether the administrator can log in from outside now."""


class Configuration(abc.ABC):
    """The values of a configuration group, on a server that may run."""

    @abc.abstractmethod
    def check(self, settings: Settings) -> None:
        """DatastoreError with the server's own reason when it would not take or not start with these. Changes
        nothing."""

    @abc.abstractmethod
    def apply(self, settings: Settings, instead_of: Settings) -> bool:
        """Write the configuration, and have the running server take what it can at once, in place of those other
        settings. Returns whether it must be restarted for the rest. On a DatastoreError it is as before."""

    @abc.abstractmethod
    def undo(self, settings: Settings, back_to: Settings) -> None:
        """Take that back, as far as it came. On a DatastoreError the configuration is the old one all the same, for the
        next start, and the running server may have the new values still."""


Step = dict[str, Any]
"""What a stream's process does; see guest.streams.worker."""
RunSteps = Callable[[list[Step]], None]
"""Has them done, in order, in a process that outlives the agent. DatastoreError when one fails."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A program whose output is a backup."""

    command: tuple[str, ...]
    user: tuple[int, int] | None
    """uid and gid it runs as; None: the agent's."""
    expected: int
    """Bytes of the output, roughly."""


@dataclasses.dataclass(frozen=True)
class Link:
    """One backup of a chain that is restored: the full one, or a difference to the one before."""

    strategy: str
    receive: Step = dataclasses.field(repr=False)
    """A ``receive`` step without its command."""


class Backups(abc.ABC):
    """Copy the data out, and make a server of copies."""

    @abc.abstractmethod
    def source(self, strategy: str, base: Mapping[str, Any] | None, work: pathlib.Path) -> Source:
        """What makes a backup; ``base`` is the position of the one that it is to be the difference to. ``work`` is an
        empty directory for whatever it needs."""

    @abc.abstractmethod
    def position(self, strategy: str, work: pathlib.Path) -> dict[str, Any]:
        """Of the backup that the source has made; secrets in ``work`` are removed. DatastoreError when it did not come
        to its end."""

    @abc.abstractmethod
    def restore(self, settings: Settings, chain: Sequence[Link], run: RunSteps) -> None:
        """Make a secured server with the data of the backups, on a fresh machine; running when this returns. What was
        left half done is wiped and made again; ``run`` takes up what still runs."""


class LogType(enum.StrEnum):
    """Whose a log is."""

    USER = "USER"
    SYS = "SYS"
    """For administrators; always on."""


class LogStatus(enum.StrEnum):
    """Of a log, in the API's words."""

    DISABLED = "Disabled"
    ENABLED = "Enabled"
    """On, and nothing in it yet."""
    UNAVAILABLE = "Unavailable"
    READY = "Ready"
    """Something in it, nothing of it sent."""
    PUBLISHED = "Published"
    PARTIAL = "Partial"
    """There is more than was sent."""
    ROTATED = "Rotated"
    """It was begun anew since."""


@dataclasses.dataclass(frozen=True)
class Log:
    """How a log is."""

    name: str
    type: LogType
    status: LogStatus
    published: int
    """Bytes sent to the object store"""
    pending: int
    """Bytes that were not"""


Send = Callable[[str, bytes, int], None]
"""Writes an object: its name, its bytes, the number of lines."""


class Logs(abc.ABC):
    """The logs of a server. NotFound for a name that there is not."""

    @abc.abstractmethod
    def bound(self) -> None:
        """Begin those anew that have become too large. Called every few seconds, beside everything else."""

    @abc.abstractmethod
    def every(self) -> list[Log]:
        """All of them."""

    @abc.abstractmethod
    def one(self, name: str) -> Log:
        """One of them."""

    @abc.abstractmethod
    def enable(self, name: str) -> None:
        """Switch a user's log on; fine when it is on."""

    @abc.abstractmethod
    def disable(self, name: str) -> None:
        """Switch it off; what is in it stays."""

    @abc.abstractmethod
    def publish(self, name: str, send: Send) -> None:
        """Send what was not sent yet, or as much of it as can be sent within a minute or so. Interrupted and called
        again, it sends nothing twice under two names."""

    @abc.abstractmethod
    def discard(self, name: str) -> str:
        """What was sent is to be thrown away: from now on nothing of the file was sent. Returns a name that comes after
        those of all objects that were sent, and before those of all that will be."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a server shows its clients, and whom it believes; PEM texts."""

    mode: str
    """A name of dbflow.tlsmode.Mode."""
    certificate: str
    """The server's, then those between it and its authority."""
    authorities: str
    """Who issued it, and who issues those of its clients."""
    key: str | None = dataclasses.field(default=None, repr=False)
    """None: the one of the machine's last request."""


class Tls(abc.ABC):
    """Encrypted connections. A server offers them from its first start on."""

    @abc.abstractmethod
    def offered(self) -> bool:
        """Whether the running server does; one that was started by an earlier release does not."""

    @abc.abstractmethod
    def certified(self) -> bool:
        """Whether it does with a certificate that it was given."""

    @abc.abstractmethod
    def request(self) -> str:
        """A request for a certificate (PEM) of a key that never leaves the machine; the same key until a certificate of
        it is installed."""

    @abc.abstractmethod
    def install(self, identity: Identity, change: str) -> None:
        """Use this from now on, also after restarts; connections that are there stay. ``change`` names the change: run
        again, it is the same one. DatastoreError where the key does not fit, or where the server offers no TLS."""

    @abc.abstractmethod
    def undo(self, change: str) -> None:
        """As before that change, if it was the last one."""


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
    def settle(self, timeout: float) -> None:
        """Take nothing more, and apply all that was taken."""

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
    def reach(self, origin: Origin) -> bool:
        """Whether a replica of ``origin`` has received, not applied, all that is there now."""

    @abc.abstractmethod
    def overtake(self, origin: Origin, timeout: float) -> None:
        """Follow ``origin``, and return when it has everything that one has now. Away when that one does not answer
        within the time."""


class Upgrade(abc.ABC):
    """From one release to another one, on the same data. ``name`` is the upgrade's own.

    The old release's programs are here until the backup point is taken, the new one's from then on; on the way back the
    other way round.
    """

    @abc.abstractmethod
    def check(self, name: str) -> None:
        """DatastoreError when the data can't be upgraded as it is, or there is no room for a backup point."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the server on purpose, with nothing left that only its own release could finish."""

    @abc.abstractmethod
    def start_again(self) -> None:
        """After ``stop``, however far that came: start it."""

    @abc.abstractmethod
    def take_point(self, name: str) -> None:
        """Keep all that the stopped server has; fine when that was done."""

    @abc.abstractmethod
    def go_back(self, name: str) -> None:
        """Have what was kept instead of what there is; does nothing where nothing was kept."""

    @abc.abstractmethod
    def run(self, settings: Settings, wanted: str) -> None:
        """Make the data that of release ``wanted`` (such as 11.8), with nobody let in. DatastoreError when the programs
        are not of that one. The server is stopped when this returns."""

    @abc.abstractmethod
    def halt(self) -> None:
        """End whatever ``run`` has started, at once."""

    @abc.abstractmethod
    def open(self) -> None:
        """Start the upgraded server for everybody."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop it again; but DatastoreError, and it runs, when it was written to since ``open``."""

    @abc.abstractmethod
    def drop_point(self, name: str) -> None:
        """Throw away what was kept; fine when it is gone."""


class Scripts(abc.ABC):
    """Statements that somebody else has written."""

    @abc.abstractmethod
    def run(self, text: str, timeout: float) -> int:
        """Run them one after the other, as the server's administrator, and return how many there were. At the first one
        that fails it ends with a DatastoreError, which says which one and holds no value of it; what ran before stays.
        None takes longer than ``timeout`` seconds."""


class Datastore(abc.ABC):
    """A plug-in: entry point group ``dbflow.guest.datastores``, called with the Machine."""

    default_port: ClassVar[int]
    """TCP port of the server where the machine names none."""
    lifecycle: Lifecycle
    accounts: Accounts | None = None
    configuration: Configuration | None = None
    logs: Logs | None = None
    backups: Backups | None = None
    replication: Replication | None = None
    upgrade: Upgrade | None = None
    tls: Tls | None = None
    scripts: Scripts | None = None

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

# SPDX-License-Identifier: Apache-2.0
"""Where the files of an instance are."""

import dataclasses
import os
import pathlib
import pwd
import shutil
import tempfile

from dbflow import faults
from guest.datastores.base import Machine
from guest.datastores.mariadb import programs
from guest.datastores.mariadb.plain import opened


@dataclasses.dataclass(frozen=True)
class Owner:
    """The user that the server runs as, and whether the agent has to change to it."""

    name: str
    uid: int
    gid: int
    switch: bool

    @classmethod
    def of(cls, run_as: str | None) -> "Owner":
        """``run_as`` (a name, or UID:GID of a user without one) when the agent is root, else the agent's own user."""
        if os.geteuid() == 0 and run_as is not None:
            if ":" in run_as:
                uid, gid = map(int, run_as.split(":"))
                return cls(run_as, uid, gid, True)
            entry = pwd.getpwnam(run_as)
            return cls(run_as, entry.pw_uid, entry.pw_gid, True)
        return cls(str(os.geteuid()), os.geteuid(), os.getegid(), False)

    def give(self, path: pathlib.Path) -> None:
        """Make the path theirs."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Paths of one instance."""

    machine: Machine
    owner: Owner

    @classmethod
    def of(cls, machine: Machine) -> "Layout":
        """The layout on this machine."""
        return cls(machine, Owner.of(machine.run_as))

    def program(self, name: str) -> str:
        """The path of one of the engine's programs. DatastoreError when it is not there."""
        return programs.find(name, self.machine.programs)

    @property
    def data(self) -> pathlib.Path:
        """The server's data directory."""
        return self.machine.data_dir / "data"

    @property
    def disk(self) -> int:
        """MiB of the data's file system."""
        return shutil.disk_usage(self.machine.data_dir).total // (1024 * 1024)

    @property
    def state(self) -> pathlib.Path:
        """What dbflow keeps beside the data."""
        return self.machine.data_dir / "mariadb"

    @property
    def config(self) -> pathlib.Path:
        """The server's configuration file."""
        return self.state / "server.cnf"

    @property
    def started(self) -> pathlib.Path:
        """The configuration that the server was started with last."""
        return self.state / "started.cnf"

    @property
    def secret(self) -> pathlib.Path:
        """The administrator's password; only the agent may read it."""
        return self.state / "admin"

    @property
    def init_sql(self) -> pathlib.Path:
        """Run by the server at every start: makes the administrator, whatever was done to it before."""
        return self.state / "init.sql"

    @property
    def exchange(self) -> pathlib.Path:
        """The only directory that SQL may read files from or write files to."""
        return self.state / "files"

    @property
    def temporary(self) -> pathlib.Path:
        """Temporary tables. Every server needs its own: a starting one deletes what it finds there, so that servers
        which share /tmp break each other's statements."""
        return self.state / "tmp"

    @property
    def intents(self) -> pathlib.Path:
        """Changes of accounts that have begun."""
        return self.state / "intents"

    @property
    def uncertified(self) -> pathlib.Path:
        """Accounts that demanded no certificate before a script began; there until those that it made do."""
        return self.state / "uncertified"

    @property
    def installed(self) -> pathlib.Path:
        """There once the data directory is complete."""
        return self.state / "installed"

    @property
    def stopped(self) -> pathlib.Path:
        """There while the server is stopped on purpose."""
        return self.state / "stopped"

    @property
    def role(self) -> pathlib.Path:
        """What the server is to others that replicate with it; none where it is alone."""
        return self.state / "role"

    @property
    def release(self) -> pathlib.Path:
        """Of which release the data is."""
        return self.state / "release"

    @property
    def upgraded(self) -> pathlib.Path:
        """What had been written to the database when it was upgraded last."""
        return self.state / "upgraded"

    @property
    def unopened(self) -> pathlib.Path:
        """There when the server did not start for everybody after it was upgraded last."""
        return self.state / "unopened"

    @property
    def kept(self) -> pathlib.Path:
        """There when the server was written to after it was upgraded last, and so remains what it is."""
        return self.state / "kept"

    @property
    def tls_state(self) -> pathlib.Path:
        """How the server uses TLS, with its private key; only the agent may read it."""
        return self.state / "tls"

    @property
    def tls_server(self) -> pathlib.Path:
        """The server's private key and certificate."""
        return self.state / "server.pem"

    @property
    def tls_authorities(self) -> pathlib.Path:
        """Whose certificates clients may show."""
        return self.state / "authorities.pem"

    @property
    def tls_trusted(self) -> pathlib.Path:
        """Whose certificate the source of this replica may have."""
        return self.state / "trusted.pem"

    @property
    def tls_pending(self) -> pathlib.Path:
        """The private key for which a certificate was asked for; only the agent may read it."""
        return self.state / "pending.key"

    @property
    def binlog(self) -> pathlib.Path:
        """Binary and relay logs: on the data's volume, and no part of a copy of the data."""
        return self.machine.data_dir / "binlog"

    @property
    def restored(self) -> pathlib.Path:
        """A data directory that is being made from backups."""
        return self.machine.data_dir / ".restored"

    @property
    def runtime(self) -> pathlib.Path:
        """The server's own directory for its socket and pid file."""
        return self.machine.run_dir / "mariadb"

    @property
    def socket(self) -> pathlib.Path:
        """Where the agent talks to the server."""
        return self.runtime / "sock"

    @property
    def pid_file(self) -> pathlib.Path:
        """Written by the server once it is up."""
        return self.runtime / "pid"

    @property
    def log(self) -> pathlib.Path:
        """The server's error log."""
        return self.machine.log_dir / "mariadb.log"

    @property
    def logs(self) -> pathlib.Path:
        """Which logs are on, and how much of each was sent away."""
        return self.state / "logs.json"

    def log_file(self, name: str) -> pathlib.Path:
        """Of a log by its public name."""
        return self.log if name == "error" else self.machine.log_dir / f"mariadb-{name}.log"

    def make_directories(self) -> None:
        """Everything around the data directory itself; fine when it is there."""
        for path in (self.machine.data_dir, self.machine.run_dir, self.machine.log_dir):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self.state, self.intents):
            path.mkdir(mode=0o711, exist_ok=True)
        for path in (self.exchange, self.temporary, self.binlog):
            path.mkdir(mode=0o700, exist_ok=True)
        self.runtime.mkdir(mode=0o750, exist_ok=True)
        opened(self.log, os.O_WRONLY | os.O_CREAT).close()
        for path in (self.exchange, self.temporary, self.binlog, self.runtime, self.log):
            self.owner.give(path)


def write(path: pathlib.Path, text: str, owner: Owner | None = None) -> None:
    """Replace a file at once (never half of it), readable by ``owner`` (default: the agent) only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if owner is not None:
            owner.give(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    faults.within()

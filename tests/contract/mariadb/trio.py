# SPDX-License-Identifier: Apache-2.0
"""A source and its replicas, made and changed by the guest tasks that flows use, in the order in which they use them;
and an eye on who can be written to."""

import contextlib
import dataclasses
import itertools
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pymysql.cursors

from guest.datastores.base import DatabaseSpec, UserSpec
from guest.tasks.backup import MakeBackup
from guest.tasks.base import GuestTask
from guest.tasks.replication import (
    AdmitReplicas,
    Approach,
    BeginReplica,
    CatchUp,
    Demote,
    HoldWrites,
    OpenWrites,
    Repoint,
    RequireAcknowledgement,
    RestoreReplica,
    StandUp,
)
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.site import SETTINGS, Site, new_site
from tests.objects.vault import Vault

LOGIN = {"password": "of-replicas-only", "fallback": 0.0}


_NUMBERS = itertools.count(1)


def run(task: type[GuestTask], site: Site, **arguments: Any) -> Any:
    """Execute it on that machine."""
    return bound(task, site).execute(instance_id="i", **arguments)


def undo(task: type[GuestTask], site: Site, **arguments: Any) -> None:
    """Revert it there."""
    bound(task, site).revert(instance_id="i", **arguments)


def bound(task: type[GuestTask], site: Site) -> GuestTask:
    """The task, on that machine."""
    made = task("step")
    made.bind(site.datastore)
    return made


def endpoint(site: Site) -> dict[str, Any]:
    return {"address": site.machine.address, "port": site.machine.port, "tls": False}


def copy(source: Site, store: Vault, name: str) -> dict[str, Any]:
    made: dict[str, Any] = run(
        MakeBackup, source, backup_id=name, strategy="physical", parent=None, upload=store.upload(name)
    )
    return made


def add_replica(source: Site, replica: Site, store: Vault, name: str) -> None:
    """As instance.replicate does it."""
    admitted = run(AdmitReplicas, source, replication=LOGIN)
    made = copy(source, store, name)
    download = store.download({name: made})
    run(RestoreReplica, replica, ram=SETTINGS.ram, vcpus=SETTINGS.vcpus, overrides={}, download=download)
    run(BeginReplica, replica, endpoint=admitted, replication=LOGIN, made=made)
    run(RequireAcknowledgement, source, replication=LOGIN)


@dataclasses.dataclass
class Trio:
    """Of which ``source`` is the one that is written to."""

    source: Site
    others: list[Site]
    password: str

    def promote(self, candidate: Site) -> None:
        """As instance.promote does it."""
        old, others = self.source, [one for one in self.others if one is not candidate]
        run(Approach, candidate)
        held = run(HoldWrites, old)
        place = run(CatchUp, candidate, source=held)
        run(StandUp, candidate, replication=LOGIN)
        for other in others:
            run(Repoint, other, candidate=place, replication=LOGIN)
        run(Demote, old, candidate=place, replication=LOGIN)
        run(OpenWrites, candidate)
        self.source, self.others = candidate, [old, *others]

    @property
    def members(self) -> list[Site]:
        return [self.source, *self.others]


@contextlib.contextmanager
def trio(
    kit: MariaDBKit,
    image: pathlib.Path,
    store: Vault,
    replicas: int = 2,
    before: Callable[[Site], None] = lambda source: None,
) -> Iterator[Trio]:
    """A source with a database ``shop`` of the user ``app``, and its replicas; ``before``: what is done on it while it
    is alone."""
    with contextlib.ExitStack() as exits:
        source, *others = (exits.enter_context(new_site(kit, image)) for _ in range(replicas + 1))
        source.install()
        password = source.password()
        prepare(source, password)
        before(source)
        for number, other in enumerate(others):
            add_replica(source, other, store, f"copy-{source.machine.instance_id}-{number}")
        yield Trio(source, others, password)


def prepare(source: Site, password: str) -> None:
    """Database, user, and a table for who samples."""
    source.accounts.create_databases([DatabaseSpec("shop")])
    source.accounts.create_users([UserSpec("app", password, databases=("shop",))])
    source.kit.query(source.machine, "app", password, "CREATE TABLE samples (n INT PRIMARY KEY)", "shop")


class Sampler(threading.Thread):
    """Tries to write to each member, again and again, and keeps what it was told: (member, number) of what was
    acknowledged, and the moments at which two were writable."""

    def __init__(self, members: list[Site], password: str) -> None:
        super().__init__(daemon=True)
        self._members, self._password = members, password
        self._end = threading.Event()
        self.rounds = 0
        self.acknowledged: list[int] = []
        self.both: list[tuple[int, ...]] = []

    def run(self) -> None:
        while not self._end.is_set():
            writable = tuple(place for place, member in enumerate(self._members) if self._writable(member))
            # Not all are asked at one moment: who was writable at first is asked once more, at the end.
            if len(writable) > 1 and self._writable(self._members[writable[0]]):
                self.both.append(writable)
            self.rounds += 1

    def stop(self) -> None:
        self._end.set()
        self.join(60)

    def _writable(self, member: Site) -> bool:
        number = next(_NUMBERS)
        try:
            connection = pymysql.connect(
                host=member.machine.address,
                port=member.machine.port,
                user="app",
                password=self._password.encode(),  # type: ignore[arg-type]
                database="shop",
                ssl_disabled=True,
                connect_timeout=2,
                read_timeout=2,
                autocommit=True,
            )
            with contextlib.closing(connection), connection.cursor() as cursor:
                before = _says(cursor)
                cursor.execute("INSERT INTO samples VALUES (%s)", (number,))
                after = _says(cursor)
        except (pymysql.Error, OSError):
            return False
        # It may be opened between a look and the write.
        assert not (before and after), "a write went through where it says that it is read-only"
        self.acknowledged.append(number)
        return True


def _says(cursor: "pymysql.cursors.Cursor") -> bool:
    """Whether a server says that it is read-only."""
    cursor.execute("SELECT @@GLOBAL.read_only")
    return cursor.fetchall() == ((1,),)

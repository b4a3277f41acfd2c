# SPDX-License-Identifier: Apache-2.0
"""A source and its replicas, made and changed by the guest tasks that flows use, in the order in which they use
them."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

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
from tests.sampler import TABLE, Connect, Sampler

LOGIN = {"password": "of-replicas-only", "fallback": 0.0}


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
    source.kit.query(source.machine, "app", password, TABLE, "shop")


def sampler(members: list[Site], password: str, keeps: bool = True) -> Sampler:
    """As the user ``app``."""
    doors = {f"{place}": _door(member, password) for place, member in enumerate(members)}
    return Sampler(lambda: doors, keeps)


def _door(site: Site, password: str) -> Connect:
    def connect() -> "Connection[Cursor]":
        return pymysql.connect(
            host=site.machine.address,
            port=site.machine.port,
            user="app",
            password=password.encode(),  # type: ignore[arg-type]
            database="shop",
            ssl_disabled=True,
            connect_timeout=2,
            read_timeout=2,
            autocommit=True,
        )

    return connect

# SPDX-License-Identifier: Apache-2.0
"""cloud inventory, cloud orphans, cloud reap, cloud prepare, flavor list"""

import argparse
import functools
from collections.abc import Callable
from typing import TypeVar

from dbflow import cloud
from dbflow.cmd.manage.context import Context, ManageError, explained
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.orphans import Found, Orphanage, OrphanBook
from dbflow.waits import Overdue

T = TypeVar("T")


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    clouds = Noun(commands, shared, "cloud", "where the databases run")
    clouds.verb("inventory", inventory, "everything in the cloud that is dbflow's")
    clouds.verb(
        "orphans", show_orphans, "what carries an instance's name and no instance needs, and objects of deleted backups"
    )
    reaping = clouds.verb("reap", reap, "remove the orphans that the leader has reported")
    reaping.add_argument("--yes", action="store_true", help="do it; without it only say what would be removed")
    clouds.verb("prepare", prepare, "make prepared data directories, so that creates are quicker (local cloud)")
    flavors = Noun(commands, shared, "flavor", "sizes of servers")
    flavors.verb("list", show_flavors, "flavors on offer")


def inventory(context: Context, _: argparse.Namespace) -> None:
    """One line a resource."""
    found = cloud.load(context.conf).inventory()
    context.table(["Resource", "Id"], [[kind, one] for kind, ids in sorted(found.items()) for one in ids])


def show_orphans(context: Context, _: argparse.Namespace) -> None:
    """What there is now; ``reported`` once the leader has seen it for longer than the grace."""
    orphanage, book = _orphans(context)
    known = {Found(row.kind, row.instance_id): row for row in book.reported()}
    rows = [
        [one.kind, one.instance_id, one in known, known[one].first_seen if one in known else None]
        for one in _answered(orphanage.find)
    ]
    context.table(["Kind", "Id", "Reported", "Since"], rows)


def reap(context: Context, arguments: argparse.Namespace) -> None:
    """Only what was reported, and is an orphan still."""
    orphanage, book = _orphans(context)
    reported = {Found(row.kind, row.instance_id) for row in book.reported()}
    rows = []
    for one in _answered(orphanage.find):
        if one in reported:
            removed = arguments.yes and _answered(functools.partial(orphanage.remove, one))
            rows.append([one.kind, one.instance_id, removed])
            if removed:
                book.forget(one)
    context.table(["Kind", "Id", "Removed"], rows)
    if rows and not arguments.yes:
        context.note("Nothing was removed; --yes removes it.")


def _orphans(context: Context) -> tuple[Orphanage, OrphanBook]:
    from dbflow.cmd.wiring import Parts  # takes a second to import

    parts = Parts.from_conf(context.conf)
    return parts.orphanage(parts.dispatcher()), OrphanBook(parts.database, context.conf.conductor.orphan_grace)


def _answered(ask: Callable[[], T]) -> T:
    with explained():
        try:
            return ask()
        except BrokerUnavailable as error:
            raise ManageError(f"the broker: {error}") from None
        except Overdue as error:
            raise ManageError(str(error)) from None


def prepare(context: Context, _: argparse.Namespace) -> None:
    """One line a datastore that is prepared now."""
    context.table(["Prepared"], [[name] for name in cloud.load(context.conf).prepare()])


def show_flavors(context: Context, _: argparse.Namespace) -> None:
    """By RAM."""
    flavors = cloud.load(context.conf).flavors.list()
    context.table(
        ["Id", "Name", "RAM", "VCPUs", "Disk", "Ephemeral"],
        [[f.id, f.name, f.ram, f.vcpus, f.disk, f.ephemeral] for f in flavors],
    )

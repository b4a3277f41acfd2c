# SPDX-License-Identifier: Apache-2.0
"""cloud inventory, cloud prepare, flavor list"""

import argparse

from dbflow import cloud
from dbflow.cmd.manage.context import Context
from dbflow.cmd.manage.verbs import Commands, Noun


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    clouds = Noun(commands, shared, "cloud", "where the databases run")
    clouds.verb("inventory", inventory, "everything in the cloud that is dbflow's")
    clouds.verb("prepare", prepare, "make prepared data directories, so that creates are quicker (local cloud)")
    flavors = Noun(commands, shared, "flavor", "sizes of servers")
    flavors.verb("list", show_flavors, "flavors on offer")


def inventory(context: Context, _: argparse.Namespace) -> None:
    """One line a resource."""
    found = cloud.load(context.conf).inventory()
    context.table(["Resource", "Id"], [[kind, one] for kind, ids in sorted(found.items()) for one in ids])


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

# SPDX-License-Identifier: Apache-2.0
"""datastore-version create | list | update | show | load-parameters"""

import argparse

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.cmd.manage.context import Context, ManageError, explained
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.datastores import managers
from dbflow.db.models import Datastore, DatastoreVersion
from dbflow.services import mgmt_datastores, parameters
from dbflow.services.errors import ServiceError
from dbflow.services.seed import ensure_datastore

_FIELDS = ["id", "name", "version", "manager", "image_id", "image_tags", "active", "created", "updated"]


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "datastore-version", "what instances can be made of")
    noun.verb("list", show_list, "every version of every datastore")
    noun.verb("show", show, "one version").add_argument("id")
    create = noun.verb("create", make, "make a version (and its datastore) known, or bring it up to date")
    create.add_argument("datastore", help="such as mariadb")
    create.add_argument("name", help="what users call it, such as 10.11")
    create.add_argument("--number", help="such as 10.11.14; the name when left out")
    create.add_argument("--manager", help="which plug-in serves it; the datastore's name when left out")
    create.add_argument("--image", help="id of the image its servers boot from")
    create.add_argument("--default", action="store_true", help="what an instance gets that names no version")
    update = noun.verb("update", change, "change a version")
    update.add_argument("id")
    update.add_argument("--image", help="id of the image its servers boot from")
    update.add_argument("--active", action=argparse.BooleanOptionalAction, help="whether new instances may have it")
    update.add_argument("--default", action="store_true", help="what an instance gets that names no version")
    load = noun.verb("load-parameters", load_parameters, "what its configuration groups may set, as its plug-in has it")
    load.add_argument("id")


def show_list(context: Context, _: argparse.Namespace) -> None:
    """By datastore and name."""
    query = (
        sa.select(Datastore, DatastoreVersion)
        .join(DatastoreVersion, DatastoreVersion.datastore_id == Datastore.id)
        .where(DatastoreVersion.deleted.is_(False))
        .order_by(Datastore.name, DatastoreVersion.name, DatastoreVersion.version)
    )
    with context.read() as session:
        rows = [
            [v.id, d.name, v.name, v.version, v.manager, v.active, v.id == d.default_version_id]
            for d, v in session.execute(query)
        ]
    context.table(["Id", "Datastore", "Name", "Number", "Manager", "Active", "Default"], rows)


def show(context: Context, arguments: argparse.Namespace) -> None:
    """All there is to know."""
    with context.read() as session:
        version = _version(session, arguments.id)
        datastore = session.get_one(Datastore, version.datastore_id)
    fields = {name: getattr(version, name) for name in _FIELDS}
    default = datastore.default_version_id == version.id
    context.record({"datastore": datastore.name, **fields, "default": default})


def make(context: Context, arguments: argparse.Namespace) -> None:
    """Prints the version's id."""
    manager = arguments.manager or arguments.datastore
    if manager not in managers():
        raise ManageError(f"there is no plug-in {manager!r}; installed: {', '.join(managers())}")
    created = ensure_datastore(
        context.database,
        arguments.datastore,
        arguments.name,
        arguments.number or arguments.name,
        manager=manager,
        image=arguments.image,
        default=arguments.default,
    )
    context.record({"id": created})


def change(context: Context, arguments: argparse.Namespace) -> None:
    """What is not named stays. The cloud is not asked for the image."""
    named = {"image": arguments.image, "active": arguments.active, "default": arguments.default or None}
    wanted = {name: value for name, value in named.items() if value is not None}
    try:
        with explained():
            mgmt_datastores.change(context.database, arguments.id, wanted)
    except ServiceError as error:
        raise ManageError(str(error)) from None
    show(context, arguments)


def load_parameters(context: Context, arguments: argparse.Namespace) -> None:
    """Bring those up to date that the plug-in knows; what an administrator has taken away stays away."""
    with context.write() as session:
        count = parameters.make_known(session, _version(session, arguments.id), again=True)
    context.record({"id": arguments.id, "parameters": count})


def _version(session: Session, version_id: str) -> DatastoreVersion:
    found = session.get(DatastoreVersion, version_id)
    if found is None or found.deleted:
        raise ManageError(f"there is no datastore version {version_id}")
    return found

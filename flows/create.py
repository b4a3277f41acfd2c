# SPDX-License-Identifier: Apache-2.0
"""instance.create: an address, a volume, a server, the database on it, and what modules it is to have."""

from sqlalchemy import delete
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.models import Health
from dbflow.db.modules import given, taken
from dbflow.operations import State
from dbflow.status import Task
from flows.apply_modules import MODULE
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.channel import OpenChannel
from flows.tasks.compute import CreateServer
from flows.tasks.network import CreatePort
from flows.tasks.record import RecordHealth
from flows.tasks.volume import CreateVolume
from guest.tasks.accounts import CreateDatabases, CreateUsers
from guest.tasks.lifecycle import Prepare
from guest.tasks.modules import InstallModule
from guest.tasks.status import Status

EXAMPLE: Arguments = {
    "flavor_id": "1",
    "ram": 256,
    "vcpus": 1,
    "volume_size": 1,
    "volume_type": None,
    "nics": [],
    "access": {},
    "availability_zone": None,
    "locality": None,
    "databases": [{"name": "shop"}],
    "users": [{"name": "app", "password": "secret", "host": "%", "databases": ["shop"]}],
    "overrides": {},
    "manager": "mariadb",
    "image": None,
}


WITH_MODULES: Arguments = EXAMPLE | {"modules": [MODULE]}


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE, or ERROR with a fault: the row stays until its owner deletes it."""
    if ending.state == State.SUCCESS:
        release(session, ending, task=Task.NONE, fault=None)
    else:
        lost = fault(ending, "Creating the instance")
        release(session, ending, task=Task.ERROR, fault=lost, configuration_id=None)
        session.execute(delete(Health).where(Health.instance_id == ending.target_id))
    with_modules(session, ending)


def with_modules(session: Session, ending: Ending) -> None:
    """A new instance has its modules, or none."""
    modules = ending.arguments.get("modules") or ()
    if ending.state == State.SUCCESS:
        given(session, ending.target_id, {one["id"]: one["md5"] for one in modules})
    elif modules:
        taken(session, ending.target_id)


@operation("instance.create", title="Create an instance", task=Task.BUILDING, ended=ended, example=EXAMPLE)
def build_without_modules(arguments: Arguments) -> tf_flow.Flow:
    """Resources side by side, then the server, then the work of its guest."""
    flow = linear_flow.Flow("instance.create")
    flow.add(unordered_flow.Flow("resources").add(CreatePort(), CreateVolume(), OpenChannel()))
    flow.add(CreateServer(), Prepare("install-datastore"))
    if arguments.get("databases"):
        flow.add(CreateDatabases("create-databases"))
    if arguments.get("users"):
        flow.add(CreateUsers("create-users"))
    if arguments.get("modules"):
        flow.add(*install(arguments))
    return flow.add(Status("check-health", provides="health"), RecordHealth())


@operation(
    "instance.create", version=2, title="Create an instance", task=Task.BUILDING, ended=ended, example=WITH_MODULES
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """The same with modules, which may need the databases and users. The version before has the graph without them."""
    return build_without_modules(arguments)


def install(arguments: Arguments) -> list[InstallModule]:
    """A step for each module, in their order."""
    modules = enumerate(arguments["modules"], start=1)
    return [InstallModule(f"install-module-{number}", inject={"module": module}) for number, module in modules]

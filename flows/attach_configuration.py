# SPDX-License-Identifier: Apache-2.0
"""instance.attach_configuration and instance.detach_configuration: the values of a group on one instance."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.record import RecordRestart
from guest.tasks.configuration import ApplyConfiguration, CheckConfiguration

_EXAMPLE: Arguments = {"ram": 256, "vcpus": 1, "old_restart_required": False}
ATTACH: Arguments = {**_EXAMPLE, "overrides": {"max_connections": 200}, "old_overrides": {}}
DETACH: Arguments = {**_EXAMPLE, "overrides": {}, "old_overrides": {"max_connections": 200}}


def attached(session: Session, ending: Ending) -> None:
    """The group's values, some perhaps from the next restart on; or none with a fault. The group stays where some may
    still be there, so that it can be detached."""
    undone = {"configuration_id": None} if ending.state == State.REVERTED else {}
    settle(session, ending, "Attaching the configuration", done={}, undone=undone)


def detached(session: Session, ending: Ending) -> None:
    """dbflow's own values; or the group's with a fault."""
    settle(session, ending, "Detaching the configuration", done={"configuration_id": None}, undone={})


@operation(
    "instance.attach_configuration",
    title="Attach a configuration",
    task=Task.RESTART_REQUIRED,
    ended=attached,
    example=ATTACH,
)
def attach(arguments: Arguments) -> tf_flow.Flow:
    """Nothing is written before the server was asked whether it takes the values."""
    return _change("instance.attach_configuration")


@operation(
    "instance.detach_configuration",
    title="Detach a configuration",
    task=Task.RESTART_REQUIRED,
    ended=detached,
    example=DETACH,
)
def detach(arguments: Arguments) -> tf_flow.Flow:
    """As attaching, with no values."""
    return _change("instance.detach_configuration")


def _change(name: str) -> tf_flow.Flow:
    return linear_flow.Flow(name).add(
        CheckConfiguration("check-configuration"),
        ApplyConfiguration("apply-configuration", provides="restart_required"),
        RecordRestart(),
    )

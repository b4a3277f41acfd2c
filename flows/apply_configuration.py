# SPDX-License-Identifier: Apache-2.0
"""configuration.apply: new values for a group, and so for every instance that has it; for all of them or for none."""

from dataclasses import replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.models import Configuration, Instance, utcnow
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from flows.tasks.record import RecordRestart
from guest.tasks.configuration import ApplyConfiguration, CheckConfiguration

_ONE = {"ram": 256, "vcpus": 1, "restart_required": False}
EXAMPLE: Arguments = {
    "name": "busy",
    "description": None,
    "overrides": {"max_connections": 300},
    "old_overrides": {"max_connections": 200},
    "instances": [
        {**_ONE, "id": "2f0a1d63-7b4e-4a1f-8e7b-1b8d2c3e4f50"},
        {**_ONE, "id": "30b12e74-8c5f-4b20-9f8c-2c9e3d4f5061"},
    ],
}


def ended(session: Session, ending: Ending) -> None:
    """The group has the new values, or (as its instances have) the old ones."""
    wanted = ending.arguments
    columns: dict[str, Any] = {"operation_id": None}
    if ending.state == State.SUCCESS:
        columns |= {"name": wanted["name"], "description": wanted["description"], "settings": wanted["overrides"]}
        columns["updated"] = utcnow()
    session.execute(
        update(Configuration)
        .where(Configuration.id == ending.target_id, Configuration.operation_id == ending.operation_id)
        .values(**columns)
    )
    # Not only those of the beginning: a parked operation that is retried locks whatever has the group by then.
    mine = (Instance.configuration_id == ending.target_id) & (Instance.operation_id == ending.operation_id)
    whole = _whole(ending)
    for instance_id in session.scalars(select(Instance.id).where(mine).order_by(Instance.id)).all():
        own = replace(ending, state=State.REVERTED) if instance_id in whole else ending
        settle(session, own, "Changing the configuration", done={}, undone={}, instance_id=instance_id)


def _whole(ending: Ending) -> set[str]:
    """Instances of a change that could not be undone that are as before all the same."""
    if ending.state != State.FAILED or ending.left is None:
        return set()
    numbered = enumerate(ending.arguments["instances"] or (), start=1)
    return {one["id"] for number, one in numbered if ending.left.isdisjoint(_steps(number))}


def _steps(number: int) -> tuple[str, str]:
    """Names of the steps that change an instance."""
    return f"apply-configuration-{number}", f"record-restart-{number}"


@operation(
    "configuration.apply",
    title="Change a configuration",
    task=Task.RESTART_REQUIRED,
    ended=ended,
    example=EXAMPLE,
    target_type="configuration",
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Every server is asked before the first one is changed."""
    checks, changes = unordered_flow.Flow("checks"), unordered_flow.Flow("changes")
    for number, instance in enumerate(arguments["instances"] or (), start=1):
        size = {"instance_id": instance["id"], "ram": instance["ram"], "vcpus": instance["vcpus"]}
        before = {"instance_id": instance["id"], "old_restart_required": instance["restart_required"]}
        restart, (apply, record) = f"restart_required_{number}", _steps(number)
        checks.add(CheckConfiguration(f"check-configuration-{number}", inject=size))
        changes.add(
            linear_flow.Flow(f"change-{number}").add(
                ApplyConfiguration(apply, inject=size, provides=restart),
                RecordRestart(record, rebind={"restart_required": restart}, inject=before),
            )
        )
    return linear_flow.Flow("configuration.apply").add(checks, changes)

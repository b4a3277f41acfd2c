# SPDX-License-Identifier: Apache-2.0
"""instance.apply_modules and instance.remove_module: modules on an instance that serves, all of them or none."""

from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db.modules import given, not_given, taken
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import settle
from flows.registry import Arguments, Ending, operation
from guest.tasks.modules import ApplyModule, CheckModules, RemoveModule

_MARK = "0b0f8a55-6a3e-4df4-a1a5-0c6a0c8d1a70"
MODULE = {
    "id": "6d6e8a2c-8f0e-4f4b-9c8f-0f5e7a1b2c30",
    "name": "hello",
    "type": "ping",
    "md5": "0cc175b9c0f1b6a831c399e269772661",
    "secret": "bWVzc2FnZT1oZWxsbw==",
    "datastore": "all",
    "datastore_version": "all",
    "tenant": "all",
    "auto_apply": False,
    "visible": True,
    "is_admin": False,
    "mark": _MARK,
}
"""For examples; see guest.tasks.modules."""
APPLY: Arguments = {
    "modules": [MODULE, {**MODULE, "id": "7e7f9b3d-901f-405c-8d90-106f8b2c3d41"}],
    "module_types": ["ping"],
}
REMOVE: Arguments = {"module": {"id": MODULE["id"], "mark": _MARK}, "module_types": ["ping"]}


def applied(session: Session, ending: Ending) -> None:
    """It has them; or what it had before, with a fault. What could not be undone is noted as being there."""
    settle(session, ending, "Applying the modules", done={}, undone={})
    if ending.state == State.SUCCESS:
        given(session, ending.target_id, {one["id"]: one["md5"] for one in ending.arguments["modules"]})
    else:
        not_given(session, ending.target_id, _away(ending))


def _away(ending: Ending) -> list[str]:
    """Modules of which there was nothing before, and is nothing now, for certain."""
    left = frozenset[str]() if ending.state == State.REVERTED else ending.left
    if left is None:
        return []
    numbered = enumerate(ending.arguments["modules"], start=1)
    as_before = [one["id"] for number, one in numbered if _step(number) not in left]
    # Operations that a former release has accepted do not say it.
    fresh = ending.arguments.get("fresh", as_before)
    return [one for one in as_before if one in fresh]


def removed(session: Session, ending: Ending) -> None:
    """It has it no more; or it has it still, with a fault."""
    settle(session, ending, "Removing the module", done={}, undone={})
    if ending.state == State.SUCCESS:
        taken(session, ending.target_id, ending.arguments["module"]["id"])


@operation("instance.apply_modules", title="Apply modules", task=Task.UPDATING, ended=applied, example=APPLY)
def apply(arguments: Arguments) -> tf_flow.Flow:
    """In their order; when one fails, those before it are taken away again."""
    flow = linear_flow.Flow("instance.apply_modules").add(CheckModules("check-modules"))
    for number, module in enumerate(arguments["modules"] or (), start=1):
        flow.add(ApplyModule(_step(number), inject={"module": module}))
    return flow


def _step(number: int) -> str:
    return f"apply-module-{number}"


@operation("instance.remove_module", title="Remove a module", task=Task.UPDATING, ended=removed, example=REMOVE)
def remove(arguments: Arguments) -> tf_flow.Flow:
    """The guest knows what it was."""
    return linear_flow.Flow("instance.remove_module").add(CheckModules("check-modules"), RemoveModule("remove-module"))

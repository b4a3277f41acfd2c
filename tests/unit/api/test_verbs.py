# SPDX-License-Identifier: Apache-2.0
"""Every verb on an operation in every state: what it asks for, or why it is refused. The same for dbflow-manage."""

import dataclasses
import pathlib
from typing import Any

import pytest

from dbflow.cmd.manage import main
from dbflow.db.models import Operation
from dbflow.operations import State
from tests.unit.api.world import World

ENDED, NO_WAY_BACK, RETRY = "it has ended", "there is no way back", "only what is parked"
UNDONE, IS_UNDONE = "it is being undone already", "it is being undone, which"
SUSPENDED, NOT_SUSPENDED, PARKED = "it is suspended already", "it is not suspended", "it is parked; retry it"
Outcome = str | tuple[State, str | None]


@dataclasses.dataclass(frozen=True)
class Case:
    """A state (with what was asked already), and for each verb why not, or what is then (state, asked)."""

    state: State
    requested: str | None
    cancel: Outcome
    suspend: Outcome
    resume: Outcome
    retry: Outcome


A, R, V, S = State.ACCEPTED, State.RUNNING, State.REVERTING, State.SUSPENDED
CASES = {
    "waiting": Case(A, None, (A, "cancel"), (A, "suspend"), NOT_SUSPENDED, RETRY),
    "waiting, to be suspended": Case(A, "suspend", (A, "cancel"), SUSPENDED, (A, None), RETRY),
    "waiting, to be cancelled": Case(A, "cancel", UNDONE, IS_UNDONE, NOT_SUSPENDED, RETRY),
    "running": Case(R, None, (R, "cancel"), (R, "suspend"), NOT_SUSPENDED, RETRY),
    "running, to be suspended": Case(R, "suspend", (R, "cancel"), SUSPENDED, (R, None), RETRY),
    "running, to be cancelled": Case(R, "cancel", UNDONE, IS_UNDONE, NOT_SUSPENDED, RETRY),
    "reverting": Case(V, None, UNDONE, IS_UNDONE, NOT_SUSPENDED, RETRY),
    "suspended": Case(S, None, (A, "cancel"), SUSPENDED, (A, None), RETRY),
    "parked": Case(State.FAILED, None, PARKED, PARKED, PARKED, (A, "cancel")),
    "succeeded": Case(State.SUCCESS, None, ENDED, ENDED, ENDED, RETRY),
    "reverted": Case(State.REVERTED, None, ENDED, ENDED, ENDED, RETRY),
}
VERBS = ("cancel", "suspend", "resume", "retry")
each_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
each_verb = pytest.mark.parametrize("verb", VERBS)


def _operation(world: World, case: Case) -> str:
    """One that stands so."""
    instance_id = world.created()
    operation_id = world.instance(instance_id).operation_id or ""
    _set(world, operation_id, case)
    return operation_id


def _set(world: World, operation_id: str, case: Case) -> None:
    with world.database.write() as session:
        operation = session.get_one(Operation, operation_id)
        operation.state, operation.requested = case.state, case.requested
    world.posted.clear()


def _stands(world: World, operation_id: str) -> tuple[str, str | None]:
    operation = world.operation(operation_id)
    return operation.state, operation.requested


@each_case
@each_verb
def test_through_the_api(world: World, case: Case, verb: str) -> None:
    operation_id, expected = _operation(world, case), getattr(case, verb)
    shown = world.ask("GET", f"operations/{operation_id}").json["operation"]
    assert (verb in shown["actions"]) == isinstance(expected, tuple)
    answer = world.ask("POST", f"operations/{operation_id}/{verb}")
    if isinstance(expected, str):
        assert answer.status_code == 409
        assert f"is {case.state} and can't {verb}: {expected}" in answer.json["detail"]
        assert _stands(world, operation_id) == (case.state, case.requested)
        assert world.posted == []
    else:
        assert (answer.status_code, _stands(world, operation_id)) == (202, expected)
        assert world.posted == ([operation_id] if expected[0] != case.state else [])


@each_case
@each_verb
def test_through_dbflow_manage(
    world: World, tmp_path: pathlib.Path, case: Case, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.conf").write_text(f"[database]\nconnection = {world.database.engine.url}\n")
    operation_id, expected = _operation(world, case), getattr(case, verb)
    status = main(["--config-file", str(tmp_path / "x.conf"), "operation", verb, operation_id])
    if isinstance(expected, str):
        assert status == 1
        assert f"is {case.state} and can't {verb}: {expected}" in capsys.readouterr().err
        assert _stands(world, operation_id) == (case.state, case.requested)
    else:
        assert (status, _stands(world, operation_id)) == (0, expected)


@each_case
def test_a_delete_has_no_way_back(world: World, case: Case) -> None:
    instance_id = world.active()
    world.ask("DELETE", f"instances/{instance_id}")
    operation_id = world.instance(instance_id).operation_id or ""
    _set(world, operation_id, case)
    answer = world.ask("POST", f"operations/{operation_id}/cancel")
    wanted = NO_WAY_BACK if isinstance(case.cancel, tuple) else case.cancel
    assert (answer.status_code, wanted in answer.json["detail"]) == (409, True)


@each_case
def test_delete_interrupts(world: World, case: Case) -> None:
    """Whatever stands of the create, the delete is accepted; it waits for what has not ended, and turns that back."""
    instance_id = world.created()
    create = world.instance(instance_id).operation_id or ""
    _set(world, create, case)
    answer = world.ask("DELETE", f"instances/{instance_id}")
    assert answer.status_code == 202
    delete = world.operation(world.instance(instance_id).operation_id)
    assert (delete.kind, world.instance(instance_id).task) == ("instance.delete", "DELETING")
    if case.state in (State.FAILED, State.SUCCESS, State.REVERTED):
        assert (delete.after_id, world.posted) == (None, [delete.id])
        assert _stands(world, create) == (case.state, case.requested)
    else:
        assert delete.after_id == create
        assert _stands(world, create) == (A if case.state == S else case.state, "cancel")
        assert world.posted == ([create] if case.state == S else [])


def test_retry_when_its_instance_is_gone_or_busy(world: World) -> None:
    operation_id = _operation(world, CASES["parked"])
    instance_id = world.operation(operation_id).target_id

    def instance(**columns: Any) -> None:
        with world.database.write() as session:
            row = session.merge(world.instance(instance_id))
            for name, value in columns.items():
                setattr(row, name, value)

    def refused() -> str:
        answer = world.ask("POST", f"operations/{operation_id}/retry")
        assert answer.status_code == 409
        return str(answer.json["detail"])

    instance(operation_id="another")
    assert "busy with operation another" in refused()
    instance(operation_id=None, deleted=True)
    assert f"instance {instance_id} is gone" in refused()

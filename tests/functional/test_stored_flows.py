# SPDX-License-Identifier: Apache-2.0
"""Flows that released versions left half-way are brought to their end by the code of today.

What is outside of SQL is made first, with the stored ids, to the very same point; then the rows that were stored take
the place of those that this made.
"""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from dbflow.cloud.local.files import names
from dbflow.persistence.steps import Step, steps_of
from tests.fixtures.flows import rows, stage
from tests.fixtures.flows.cases import (
    APPLY,
    APPLY_MODULES,
    ATTACH,
    BACK_UP,
    CASES,
    CREATE,
    DATABASE,
    DELETE_BACKUP,
    DETACH,
    EJECT,
    LEAVE,
    PASSWORD,
    PROMOTE,
    REAPPLY,
    REMOVE_MODULE,
    REPLICAS,
    REPLICATE,
    RESTORE,
    STOP,
    STORED,
    UPGRADE,
    USER,
    Case,
    released,
)
from tests.fixtures.flows.stage import StagedStack
from tests.functional.stack.death import die
from tests.functional.stack.fixtures import after_failure

FILES = sorted(STORED.glob("*.json"))
LONG = 300.0
"""Seconds for an operation beside all others."""


class Stored:
    """One flow that was left half-way."""

    def __init__(self, path: pathlib.Path) -> None:
        self._kept = json.loads(path.read_text())
        self.name = path.stem
        self.case = Case(*(self._kept[name] for name in ("kind", "where", "held", "fails", "ends")))
        self.rows = rows.from_json(self._kept["rows"], self._kept["stored"])
        self.instance_ids: list[str] = [row["id"] for row in self.rows[rows.INSTANCES]]
        self.instance_id = self.instance_ids[0]
        self.target_id: str = self.rows[rows.OPERATIONS][-1]["target_id"]
        self.operations: list[str] = [row["id"] for row in self.rows[rows.OPERATIONS]]

    def steps(self, stack: StagedStack) -> dict[str, Step]:
        """As SQL has them now."""
        flow_uuid = self.rows["flowdetails"][0]["uuid"]
        with contextlib.closing(stack.database()) as database, database.read() as session:
            return {step.name: step for step in steps_of(session, flow_uuid)}


def test_every_version_has_flows_that_were_left_half_way() -> None:
    """Missing ones are stored by ``python -m tests.fixtures.flows``."""
    assert {case.kind for case in CASES} == {kind for kind, _ in released()}
    for kind, version in released():
        assert {case.path(version) for case in CASES if case.kind == kind} <= set(FILES)


@pytest.fixture
def stack(images: pathlib.Path, request: pytest.FixtureRequest) -> Iterator[StagedStack]:
    with StagedStack(images) as made:
        yield made
        after_failure(request, made)


@pytest.mark.timeout(900)  # it has as many instances as others make in all
def test_what_was_left_half_way_is_finished(stack: StagedStack) -> None:
    found = [Stored(path) for path in FILES]
    _make_the_world(stack, found)
    stack.process.kill9()
    stack.faults.clear()
    with contextlib.closing(stack.database()) as database, database.engine.begin() as connection:
        for one in found:
            rows.put(connection, one.rows)
    done = {one.name: _done(one.steps(stack)) for one in found}
    assert all(done[one.name] for one in found), "the point is to have something done"
    stack.start()
    for one in found:
        stack.client().wait_operation(one.operations[-1], one.case.ends, timeout=LONG)
        now = one.steps(stack)
        assert {name: now[name] for name in done[one.name]} == done[one.name], "what was done was done again"
        _check(stack, one, now)
    while there := stack.client().ask("GET", "/instances")["instances"]:  # a page of them
        stack.client().deleted(*(one["id"] for one in there if "replicas" not in one))
    for backup in stack.client().ask("GET", "/backups")["backups"]:
        stack.client().delete_backup(backup["id"])
    for module in stack.client().ask("GET", "/modules")["modules"]:
        stack.client().ask("DELETE", f"/modules/{module['id']}")
    stack.wait_inventory({place: [] for place in stack.inventory()})


def _make_the_world(stack: StagedStack, found: list[Stored]) -> None:
    """Instances with the stored ids, and on each its operation, held where it was stored."""
    for one in found:
        stage.reserve(stack, one.rows)
    _do_what_was_before(stack, found)
    for one in found:
        if one.case.kind == DELETE_BACKUP:
            stage.provide(stack, one.rows, one.instance_id)
    source = next(one.instance_id for one in found if one.case.kind == DELETE_BACKUP)
    for one in found:
        if one.case.kind == RESTORE:
            stage.provide(stack, one.rows, source)
    for one in found:
        if one.case.kind == EJECT:
            die(stack, one.instance_id)
        with stage.held_at(stack, one.case):
            stage.accept(stack, one.rows, len(one.operations) - 1)
        stage.settle(stack, one.target_id, one.case)


def _do_what_was_before(stack: StagedStack, found: list[Stored]) -> None:
    """The creates, side by side; then the replicas of sets, and modules that are there."""
    client = stack.client()
    for one in found:
        if len(one.operations) > 1:
            stage.accept(stack, one.rows, 0)
    for one in found:
        if len(one.operations) > 1:
            client.wait_operation(one.operations[0], timeout=LONG)
    for one in found:
        for number in range(1, len(one.operations) - 1) if one.case.kind in _BUILT_UP else ():
            stage.accept(stack, one.rows, number)
            client.wait_operation(one.operations[number], timeout=LONG)


_BUILT_UP = {*REPLICAS, REMOVE_MODULE, REAPPLY}
"""Kinds that need what operations between the create and theirs have done."""


def _done(steps: dict[str, Step]) -> dict[str, Step]:
    """What must not be touched again: where the flow goes back, only what has been undone."""
    back = any(step.state in ("REVERTING", "REVERTED") for step in steps.values())
    return {name: step for name, step in steps.items() if step.state == ("REVERTED" if back else "SUCCESS")}


def _check(stack: StagedStack, one: Stored, steps: dict[str, Step]) -> None:
    """Every step is where it belongs, and the instance too."""
    kind, ends = one.case.kind, one.case.ends
    assert {step.state for step in steps.values()} <= ({"SUCCESS"} if ends == "SUCCESS" else {"REVERTED", "PENDING"})
    if kind == "instance.delete" and ends == "SUCCESS":
        stack.client().ask("GET", f"/instances/{one.instance_id}", status=404)
        return
    if kind == UPGRADE:
        stack.client().wait_status(one.instance_id, "ACTIVE")  # when its backup point is dropped
    shown = stack.client().show(one.instance_id)
    if kind in _BACKUP_STATES:
        _check_backup(stack, one)
    if kind in REPLICAS:
        _check_set(stack, one)
        return
    if kind in (CREATE, RESTORE, "instance.delete") and ends == "REVERTED":
        assert (shown["status"], one.instance_id in names(stack.cloud / "servers")) == ("ERROR", False)
        return
    assert shown["status"] == "ACTIVE", shown
    changed = ends == "SUCCESS"
    if kind == STOP and changed:
        with pytest.raises(pymysql.OperationalError):
            _connect(stack, shown)
        return
    assert (shown["datastore"]["version"] == "next") == (changed and kind == UPGRADE)
    if kind in _MODULES or kind in (CREATE, RESTORE):
        found = stack.client().ask("GET", f"/instances/{one.instance_id}/modules?from_guest=1")["modules"]
        count = _MODULES[kind][ends] if kind in _MODULES else len(one.rows.get(rows.APPLIED, ()))
        assert [one["status"] for one in found] == ["OK"] * count
        known = stack.client().ask("GET", f"/instances/{one.instance_id}/modules")["modules"]
        assert sorted(one["id"] for one in known) == sorted(one["id"] for one in found)
    assert shown["access"] == {"is_public": changed and kind == "instance.update_access"}
    assert shown["flavor"]["id"] == ("2" if changed and kind == "instance.resize_flavor" else "1")
    assert shown["volume"]["size"] == (2 if changed and kind == "instance.resize_volume" else 1)
    with _connect(stack, shown) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_connections")
        assert cursor.fetchall() == ((_CONFIGURED.get((kind, ends), 40),),)


_MODULES = {
    APPLY_MODULES: {"SUCCESS": 2, "REVERTED": 0},
    REMOVE_MODULE: {"SUCCESS": 0, "REVERTED": 1},
    REAPPLY: {"SUCCESS": 1, "REVERTED": 1},
}
"""How many an instance has then."""
_CONFIGURED = {
    (ATTACH, "SUCCESS"): 77,
    (DETACH, "REVERTED"): 77,
    (APPLY, "REVERTED"): 77,
    (APPLY, "SUCCESS"): 78,
    ("instance.resize_flavor", "SUCCESS"): 64,
}
"""max_connections where it is not what follows from the small flavor."""


def _check_set(stack: StagedStack, one: Stored) -> None:
    """Who is the source of whom, and that the source can be written to."""
    kind, done = one.case.kind, one.case.ends == "SUCCESS"
    client = stack.client()
    shown = {member: client.show(member) for member in one.instance_ids}
    sources = {member: it.get("replica_of", {}).get("id") for member, it in shown.items()}
    before = {row["id"]: row.get("replica_of_id") for row in one.rows[rows.INSTANCES]}
    if kind == REPLICATE and not done:
        assert (shown[one.instance_id]["status"], sources[one.instance_id]) == ("ERROR", None)
    elif kind in (LEAVE, PROMOTE) and done:
        assert sources[one.instance_id] is None
        followers = set(sources) - {one.instance_id} if kind == PROMOTE else set()
        assert {member for member, source in sources.items() if source == one.instance_id} == followers
    elif kind == EJECT and done:
        assert (shown[one.instance_id]["status"], sources[one.instance_id]) == ("ERROR", None)
    else:
        assert sources == before
    written = [it for it in shown.values() if "replica_of" not in it and it["status"] == "ACTIVE"]
    assert len(written) == 1 + (kind == LEAVE and done)
    if kind == EJECT and not done:
        return  # it is started again
    with contextlib.closing(_connect(stack, written[0])) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE `{one.name}` (n INT)")


_BACKUP_STATES = {
    BACK_UP: {"SUCCESS": "COMPLETED", "REVERTED": "FAILED"},
    DELETE_BACKUP: {"SUCCESS": None, "REVERTED": "DELETE_FAILED"},
}


def _check_backup(stack: StagedStack, one: Stored) -> None:
    (backup,) = one.rows[rows.BACKUPS]
    path, wanted = f"/backups/{backup['id']}", _BACKUP_STATES[one.case.kind][one.case.ends]
    if wanted is None:
        stack.client().ask("GET", path, status=404)
    else:
        assert stack.client().ask("GET", path)["backup"]["status"] == wanted


def _connect(stack: StagedStack, shown: dict[str, Any]) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    host: str = shown["ip"][0]
    return pymysql.connect(host=host, port=stack.port, user=USER, password=PASSWORD, database=DATABASE)

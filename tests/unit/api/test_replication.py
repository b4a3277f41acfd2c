# SPDX-License-Identifier: Apache-2.0
"""Replicas: what is recorded, and what is refused."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from dbflow.db.models import Backup, Health, Instance, Operation, utcnow
from dbflow.messaging.errors import BrokerUnavailable, GuestUnreachable
from dbflow.operations import State
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS
from dbflow.status import Task
from dbflow.verbs import retry
from tests.unit.api.world import World

NOTHING_ELSE = {"flavorRef": None, "volume": None, "datastore": None}


def ask(world: World, source: str, **more: Any):
    return world.create(replica_of=source, **NOTHING_ELSE | more)


def made(world: World, source: str, count: int = 1) -> list[str]:
    """Replicas that are ACTIVE and healthy."""
    answer = ask(world, source, replica_count=count)
    assert answer.status_code == 200, answer.text
    first = world.instance(answer.json["instance"]["id"])
    operation = world.operation(first.operation_id or "")
    replicas = [first.id, *(one for one in operation.members or () if one != source)]
    end(world, operation.id, [source, *replicas])
    with world.database.write() as session:
        for replica in replicas:
            session.add(Health(instance_id=replica, seen=utcnow(), service_status="HEALTHY"))
    return replicas


def end(world: World, operation_id: str, members: list[str], state: State = State.SUCCESS) -> None:
    """What the conductor does at the end of an operation of several instances."""
    with world.database.write() as session:
        operation = session.get_one(Operation, operation_id)
        operation.state, operation.finished = state, utcnow()
        for member in members:
            instance = session.get_one(Instance, member)
            instance.operation_id, instance.task = None, Task.NONE


def silence(world: World, *instance_ids: str) -> None:
    """No heartbeat of these for long."""
    with world.database.write() as session:
        for instance_id in instance_ids:
            session.get_one(Health, instance_id).seen = utcnow() - datetime.timedelta(hours=1)


def show(world: World, instance_id: str) -> dict[str, Any]:
    found: dict[str, Any] = world.ask("GET", f"instances/{instance_id}").json["instance"]
    return found


def act(world: World, instance_id: str, verb: str):
    return world.ask("POST", f"instances/{instance_id}/action", json={verb: {}})


def test_create(world: World) -> None:
    source = world.active(volume={"size": 2})
    answer = ask(world, source, replica_count=2, name="copy")
    assert answer.status_code == 200
    shown = answer.json["instance"]
    assert (shown["name"], shown["status"], shown["replica_of"]["id"]) == ("copy-1", "BUILD", source)
    assert (shown["flavor"]["id"], shown["volume"]["size"]) == ("1", 2)
    assert (show(world, source)["status"], len(show(world, source)["replicas"])) == ("BACKUP", 2)
    operation = world.operation(world.instance(shown["id"]).operation_id or "")
    assert (operation.kind, operation.target_id) == ("instance.replicate", shown["id"])
    assert operation.id in answer.headers["Link"]
    arguments = world.keyring.unseal(operation.arguments)
    assert arguments["first"]
    assert arguments["replica_ids"][0] == shown["id"]
    assert sorted(operation.members or ()) == sorted([source, arguments["replica_ids"][1]])
    sealed = world.instance(source).replication
    assert sealed is not None
    assert arguments["replication"]["password"] not in sealed
    assert world.keyring.unseal(sealed) == {"password": arguments["replication"]["password"]}
    # The copy is nobody's backup.
    assert world.ask("GET", "backups").json["backups"] == []
    assert world.ask("GET", f"backups/{arguments['backup_id']}").status_code == 404
    assert world.ask("DELETE", f"backups/{arguments['backup_id']}").status_code == 404
    usage = world.ask("GET", "/v1.0/padmin/mgmt/quotas/p1", "admin").json["quotas"]
    assert {one["resource"]: one["in_use"] for one in usage} == {"instances": 3, "ram": 768, "volumes": 6, "backups": 0}
    with world.database.read() as session:
        copy = session.get_one(Backup, arguments["backup_id"])
        assert (copy.internal, copy.operation_id) == (True, operation.id)


def test_the_second_call_has_the_same_login(world: World) -> None:
    source = world.active()
    made(world, source)
    before = world.instance(source).replication
    answer = ask(world, source, name="another")
    operation = world.operation(world.instance(answer.json["instance"]["id"]).operation_id or "")
    arguments = world.keyring.unseal(operation.arguments)
    assert not arguments["first"]
    assert world.keyring.unseal(before or "")["password"] == arguments["replication"]["password"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"flavorRef": "1"}, 400),
        ({"volume": {"size": 2}}, 400),
        ({"datastore": {"type": "mariadb"}}, 400),
        ({"users": [{"name": "a", "password": "b"}]}, 400),
        ({"databases": [{"name": "a"}]}, 400),
        ({"locality": "affinity"}, 400),
        ({"restorePoint": {"backupRef": "00000000-0000-4000-8000-000000000000"}}, 400),
        ({"nics": [{"ip_address": "10.0.0.1"}]}, 400),
        ({"replica_count": 4}, 400),
        ({"replica_count": 0}, 400),
        ({"configuration": "00000000-0000-4000-8000-000000000000"}, 404),
    ],
)
def test_what_a_replica_has_of_its_source(world: World, more: dict[str, Any], code: int) -> None:
    source = world.active()
    answer = ask(world, source, **more)
    assert answer.status_code == code, answer.text
    assert world.count(Instance) == 1


def test_sources_that_are_none(world: World) -> None:
    source = world.created()
    assert ask(world, source).status_code == 422
    world.finish(source)
    assert ask(world, source).status_code == 422, "not heard yet"
    other = world.active()
    (replica,) = made(world, other)
    assert ask(world, replica).status_code == 401
    assert world.create("other", replica_of=other, **NOTHING_ELSE).status_code == 404
    world.conf.set_override("max_instances_per_tenant", 4, "quota")
    assert ask(world, other, replica_count=2).status_code == 413
    assert world.instance(other).operation_id is None


def test_promote(world: World) -> None:
    source = world.active()
    one, two = made(world, source, 2)
    answer = act(world, one, "promote_to_replica_source")
    assert answer.status_code == 202
    assert {show(world, member)["status"] for member in (source, one, two)} == {"PROMOTE"}
    operation = world.operation(world.instance(one).operation_id or "")
    assert sorted(operation.members or ()) == sorted([source, two])
    arguments = world.keyring.unseal(operation.arguments)
    assert (arguments["source_id"], arguments["other_ids"]) == (source, [two])
    for member in (source, one, two):
        assert world.ask("DELETE", f"instances/{member}").status_code == 422
        assert act(world, member, "restart").status_code == 422


def test_promote_is_refused(world: World) -> None:
    source = world.active()
    (replica,) = made(world, source)
    assert act(world, source, "promote_to_replica_source").status_code == 400
    silence(world, source)
    answer = act(world, replica, "promote_to_replica_source")
    assert (answer.status_code, "Eject" in answer.text) == (422, True)
    with world.database.write() as session:
        session.get_one(Health, source).seen = utcnow()
    act(world, source, "restart")
    assert act(world, replica, "promote_to_replica_source").status_code == 422


def test_a_replica_of_a_silent_source_keeps_running(world: World) -> None:
    """It may have what no other has, and a server that starts throws away what it has not applied."""
    source = world.active()
    (replica,) = made(world, source)
    silence(world, source)
    for action in ({"restart": {}}, {"resize": {"flavorRef": "2"}}):
        answer = world.ask("POST", f"instances/{replica}/action", json=action)
        assert (answer.status_code, "Eject" in answer.text) == (422, True)
    for action in ({"stop": {}}, {"reboot": {}}):
        answer = world.ask("POST", f"mgmt/instances/{replica}/action", "admin", json=action)
        assert (answer.status_code, "Eject" in answer.text) == (422, True)
    assert act(world, source, "restart").status_code == 202


def test_detach(world: World) -> None:
    source = world.active()
    one, two = made(world, source, 2)
    answer = world.ask("PUT", f"instances/{one}", json={"instance": {"replica_of": None, "name": "free"}})
    assert answer.status_code == 202
    shown = show(world, one)
    assert (shown["status"], shown["name"]) == ("DETACH", "free")
    operation = world.operation(world.instance(one).operation_id or "")
    assert operation.id in answer.headers["Link"]
    assert not world.keyring.unseal(operation.arguments)["last"]
    assert act(world, two, "promote_to_replica_source").status_code == 422
    end(world, operation.id, [source, one])
    assert world.ask("PATCH", f"instances/{two}", json={"instance": {"slave_of": ""}}).status_code == 202
    assert world.ask("PUT", f"instances/{source}", json={"instance": {"replica_of": ""}}).status_code == 400


def test_detach_of_the_last(world: World) -> None:
    source = world.active()
    (replica,) = made(world, source)
    world.ask("PUT", f"instances/{replica}", json={"instance": {"replica_of": ""}})
    operation = world.operation(world.instance(replica).operation_id or "")
    assert world.keyring.unseal(operation.arguments)["last"]


def test_delete(world: World) -> None:
    source = world.active()
    one, two = made(world, source, 2)
    assert world.ask("DELETE", f"instances/{source}").status_code == 403
    world.posted.clear()
    world.ask("DELETE", f"instances/{one}")
    assert world.operation(world.posted[0]).kind == "instance.delete"
    world.posted.clear()
    answer = world.ask("DELETE", f"instances/{two}")
    settling = world.operation(world.posted[0])
    delete = world.operation(world.instance(two).operation_id or "")
    assert (settling.kind, settling.target_id) == ("instance.settle_replicas", source)
    assert (delete.kind, delete.after_id) == ("instance.delete", settling.id)
    assert delete.id in answer.headers["Link"]
    assert world.ask("DELETE", f"instances/{source}").status_code == 403


def deleted_while_another_is_made(world: World) -> tuple[str, Operation]:
    """A source whose only replica that follows was just asked to go, and the operation that makes another."""
    source = world.active()
    (one,) = made(world, source)
    answer = ask(world, source, name="another")
    making = world.operation(world.instance(answer.json["instance"]["id"]).operation_id or "")
    world.posted.clear()
    world.ask("DELETE", f"instances/{one}")
    return source, making


def test_replicas_that_are_being_made_are_not_waited_for(world: World) -> None:
    """The only one that follows goes while another one is made: its source must not wait for that."""
    source, making = deleted_while_another_is_made(world)
    settling = world.operation(world.posted[0])
    assert (settling.kind, settling.target_id) == ("instance.settle_replicas", source)
    end(world, making.id, [source, making.target_id])
    answer = ask(world, source, name="a third")
    assert (answer.status_code, "has lost a replica" in answer.text) == (422, True)
    with world.database.write() as session:
        session.get_one(Operation, settling.id).state = State.SUCCESS
    assert ask(world, source, name="a third").status_code == 200


def test_eject(world: World) -> None:
    source = world.active()
    one, two = made(world, source, 2)
    assert act(world, one, "eject_replica_source").status_code == 400
    assert act(world, source, "eject_replica_source").status_code == 400, "it is heard"
    silence(world, source, two)
    world.guests.silent = {source, two}
    answer = act(world, source, "eject_replica_source")
    assert (answer.status_code, two in answer.text) == (422, True), "it may have what the other has not"
    assert world.ask("DELETE", f"instances/{two}").status_code == 202
    answer = act(world, source, "eject_replica_source")
    assert answer.status_code == 202, answer.text
    assert {show(world, member)["status"] for member in (source, one)} == {"EJECT"}
    operation = world.operation(world.instance(source).operation_id or "")
    assert world.keyring.unseal(operation.arguments)["replica_ids"] == operation.members == [one]


def dead_in_the_middle(world: World, body: dict[str, Any]) -> tuple[str, str, Operation]:
    """A source that died, its one replica, and the operation that the request began before."""
    source = world.active()
    (replica,) = made(world, source)
    path = "backups" if "backup" in body else "instances"
    more = {"instance": source} if "backup" in body else {"replica_of": source}
    (kind, wanted), *_ = body.items()
    assert world.ask("POST", path, json={kind: {"name": "copy", **wanted, **more}}).status_code < 300
    running = world.operation(world.instance(source).operation_id or "")
    silence(world, source)
    world.guests.silent = {source}
    world.posted.clear()
    return source, replica, running


def eject(world: World, source: str, *members: str) -> Operation:
    """The operation of an eject that is accepted."""
    answer = act(world, source, "eject_replica_source")
    assert answer.status_code == 202, answer.text
    operation = world.operation(world.instance(source).operation_id or "")
    assert (operation.kind, operation.members) == ("instance.eject", list(members))
    assert operation.id in answer.headers["Link"]
    return operation


@pytest.mark.parametrize("body", [{"backup": {}}, {"instance": {"replica_count": 2}}])
def test_a_copy_of_a_dead_source_is_broken_off(world: World, body: dict[str, Any]) -> None:
    """It is silent for long before it fails by itself, and nobody can write until then."""
    source, replica, running = dead_in_the_middle(world, body)
    ejecting = eject(world, source, replica)
    assert ejecting.after_id == running.id
    assert world.operation(running.id).requested == "cancel"
    assert world.posted == [], "it is posted when the other one has ended"
    assert {show(world, member)["status"] for member in (source, replica)} == {"EJECT"}
    answer = act(world, source, "eject_replica_source")
    assert (answer.status_code, ejecting.id in answer.text) == (422, True), "once is enough"


def test_a_copy_that_is_suspended_runs_for_that(world: World) -> None:
    source, replica, running = dead_in_the_middle(world, {"backup": {}})
    with world.database.write() as session:
        session.get_one(Operation, running.id).state = State.SUSPENDED
    eject(world, source, replica)
    assert world.posted == [running.id]
    assert world.operation(running.id).state == State.ACCEPTED


@pytest.mark.parametrize(("begun", "code"), [("PENDING", 202), ("RUNNING", 422), ("SUCCESS", 422)])
def test_a_new_replica_that_follows_may_have_what_no_other_has(world: World, begun: str, code: int) -> None:
    source, _, running = dead_in_the_middle(world, {"instance": {}})
    with world.database.write() as session:
        session.execute(sa.insert(LOGBOOKS).values(uuid="b", name="b"))
        session.execute(sa.insert(FLOWS).values(uuid=running.flow_uuid, parent_uuid="b", name="f"))
        step = {"parent_uuid": running.flow_uuid, "intention": "EXECUTE", "atom_type": "TASK_DETAIL"}
        for number, (name, state) in enumerate({"copy-source": "RUNNING", "begin-replica-1": begun}.items()):
            session.execute(sa.insert(ATOMS).values(uuid=str(number), name=name, state=state, **step))
    answer = act(world, source, "eject_replica_source")
    assert answer.status_code == code, answer.text
    assert (world.operation(running.id).requested == "cancel") == (code == 202)
    if code == 422:
        assert f"{running.id}. Cancel that first" in answer.text


def test_other_work_of_a_dead_source_is_not_broken_off(world: World) -> None:
    source = world.active()
    made(world, source)
    act(world, source, "restart")
    silence(world, source)
    world.guests.silent = {source}
    answer = act(world, source, "eject_replica_source")
    assert (answer.status_code, "Cancel that first" in answer.text) == (422, True)


def test_a_source_whose_first_replica_is_being_made_has_none_to_take_its_place(world: World) -> None:
    source = world.active()
    ask(world, source)
    silence(world, source)
    world.guests.silent = {source}
    answer = act(world, source, "eject_replica_source")
    assert (answer.status_code, "no replica can take its place" in answer.text) == (422, True)


def test_eject_while_nobody_is_heard(world: World) -> None:
    """The broker is away, or the conductors were: the source may be alive."""
    source = world.active()
    (replica,) = made(world, source)
    silence(world, source)
    world.guests.error = BrokerUnavailable("away")
    assert act(world, source, "eject_replica_source").status_code == 503
    world.guests.error = GuestUnreachable("silent")
    assert act(world, source, "eject_replica_source").status_code == 503
    world.guests.error = None
    answer = act(world, source, "eject_replica_source")
    assert (answer.status_code, "is heard" in answer.text) == (400, True), "it answers, its heartbeats were late"
    world.guests.silent = {source}
    silence(world, replica)
    assert act(world, source, "eject_replica_source").status_code == 422
    assert world.instance(source).operation_id is None


def test_accounts_of_a_replica_are_its_sources(world: World) -> None:
    source = world.active()
    (replica,) = made(world, source)
    for path, body in (
        ("databases", {"databases": [{"name": "d"}]}),
        ("users", {"users": [{"name": "u", "password": "p"}]}),
        ("root", {}),
    ):
        answer = world.ask("POST", f"instances/{replica}/{path}", json=body)
        assert (answer.status_code, source in answer.text) == (400, True)
        assert world.ask("GET", f"instances/{replica}/{path}").status_code == 200
        assert world.ask("POST", f"instances/{source}/{path}", json=body).status_code < 300


def test_a_parked_operation_gets_all_its_instances_back(world: World) -> None:
    source = world.active()
    one, two = made(world, source, 2)
    act(world, one, "promote_to_replica_source")
    operation_id = world.instance(one).operation_id or ""
    end(world, operation_id, [source, one, two], State.FAILED)
    with world.database.write() as session:
        for member in (source, one, two):
            session.get_one(Instance, member).task = Task.ERROR
        retry(session, session.get_one(Operation, operation_id))
    assert {show(world, member)["status"] for member in (source, one, two)} == {"PROMOTE"}
    with world.database.read() as session:
        locks = session.scalars(sa.select(Instance.operation_id))
        assert set(locks) == {operation_id}


@pytest.mark.parametrize("stopped", ["source", "replica"])
def test_who_is_stopped_takes_no_part(world: World, stopped: str) -> None:
    source = world.active()
    (replica,) = made(world, source)
    with world.database.write() as session:
        session.get_one(Health, {"source": source, "replica": replica}[stopped]).service_status = "SHUTDOWN"
    for answer in (
        act(world, replica, "promote_to_replica_source"),
        world.ask("PUT", f"instances/{replica}", json={"instance": {"replica_of": None}}),
    ):
        assert (answer.status_code, "is stopped" in answer.text) == (422, True)
    assert ask(world, source).status_code == (422 if stopped == "source" else 200)


def test_a_parked_operation_is_not_undone_when_the_set_is_another(world: World) -> None:
    source = world.active()
    answer = ask(world, source)
    parked = world.operation(world.instance(answer.json["instance"]["id"]).operation_id or "")
    end(world, parked.id, [source, parked.target_id], State.FAILED)
    made(world, source)
    answer = world.ask("POST", f"operations/{parked.id}/retry")
    assert (answer.status_code, "has changed what it would go back to" in answer.text) == (409, True)
    assert world.instance(source).operation_id is None


@pytest.mark.parametrize("state", [State.SUCCESS, State.FAILED])
def test_a_parked_promote_is_not_undone_after_a_detach(world: World, state: State) -> None:
    """Undone, the other replica would follow again, and be read-only."""
    source = world.active()
    one, two = made(world, source, 2)
    act(world, one, "promote_to_replica_source")
    parked = world.instance(one).operation_id or ""
    end(world, parked, [source, one, two], State.FAILED)
    world.ask("PUT", f"instances/{two}", json={"instance": {"replica_of": None}})
    end(world, world.instance(two).operation_id or "", [source, two], state)
    assert world.ask("POST", f"operations/{parked}/retry").status_code == 409


@pytest.mark.parametrize("ended", [True, False])
def test_an_old_count_of_replicas_is_not_told_again(world: World, ended: bool) -> None:
    """While it was parked, replicas came to be that it has not counted."""
    source, making = deleted_while_another_is_made(world)
    parked = world.operation(world.posted[0])
    with world.database.write() as session:
        session.get_one(Operation, parked.id).state = State.FAILED
    if ended:
        end(world, making.id, [source, making.target_id])
    assert world.ask("POST", f"operations/{parked.id}/retry").status_code == 409


def test_replicas_have_a_configuration_group_of_their_own(world: World) -> None:
    source = world.active()
    body = {"name": "g", "values": {"max_connections": 77}, "datastore": {"type": "mariadb"}}
    group = world.ask("POST", "configurations", json={"configuration": body}).json["configuration"]["id"]
    assert ask(world, source, configuration="no such group").status_code == 404
    answer = ask(world, source, replica_count=2, configuration=group)
    operation = world.operation(world.instance(answer.json["instance"]["id"]).operation_id or "")
    arguments = world.keyring.unseal(operation.arguments)
    assert arguments["overrides"] == {"max_connections": 77}
    assert [world.instance(one).configuration_id for one in arguments["replica_ids"]] == [group, group]
    assert world.instance(source).configuration_id is None


def test_access_of_replicas_is_that_of_any_instance(world: World) -> None:
    source = world.active()
    assert ask(world, source, access={"is_public": True, "allowed_cidrs": ["10.0.0.300/8"]}).status_code == 400
    answer = ask(world, source, access={"is_public": True, "allowed_cidrs": ["10.1.2.3/8"]})
    assert world.instance(answer.json["instance"]["id"]).access["allowed_cidrs"] == ["10.0.0.0/8"]


def test_the_volumes_of_a_set_grow_together(world: World) -> None:
    source = world.active()
    one, two = made(world, source, 2)
    world.posted.clear()
    answer = world.ask("POST", f"instances/{source}/action", json={"resize": {"volume": {"size": 2}}})
    assert answer.status_code == 202
    resized = {world.operation(operation).target_id for operation in world.posted}
    assert resized == {source, one, two}
    assert {show(world, member)["status"] for member in (source, one, two)} == {"RESIZE"}
    assert world.instance(source).operation_id in answer.headers["Link"]
    answer = world.ask("POST", f"instances/{one}/action", json={"resize": {"volume": {"size": 3}}})
    assert answer.status_code == 422

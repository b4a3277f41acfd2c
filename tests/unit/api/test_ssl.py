# SPDX-License-Identifier: Apache-2.0
"""The ssl resource: what it refuses and why, what it records, and that no key is left."""

import datetime
import pathlib
from typing import Any

import pytest

from dbflow import certificates
from dbflow.db.models import Health, Instance, InstanceTls, Operation
from dbflow.operations import State
from dbflow.status import Task
from flows import ssl as flow
from flows.registry import Ending
from tests.certificates import Owner, packed, self_signed
from tests.unit.api.world import World


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def secrets(world: World, tmp_path: pathlib.Path, owner: Owner) -> pathlib.Path:
    """Of project p1: what an owner could bring."""
    world.conf.set_override("directory", str(tmp_path / "secrets"), "secret_store")
    directory = tmp_path / "secrets" / "p1"
    directory.mkdir(parents=True)
    key, alone = self_signed("db.test")
    for name, data in {
        "good": owner.container("127.0.3.1", password="pw"),
        "pw": b"pw\n",
        "wrong": b"wp",
        "open": owner.container("127.0.3.1"),
        "alone": packed(key, alone, []),
        "part": owner.container("127.0.3.1", whole=False),
        "old": owner.container("127.0.3.1", lifetime=datetime.timedelta(seconds=-1)),
        "rubbish": b"rubbish",
    }.items():
        (directory / name).write_bytes(data)
        (directory / name).chmod(0o600)
    return directory


def enable(world: World, instance_id: str, **changes: Any) -> Any:
    """POST; None leaves a key out."""
    wanted = {"enable": True, "mode": "basic", "container_ref": "file:open"} | changes
    body = {"ssl": {name: value for name, value in wanted.items() if value is not None}}
    return world.ask("POST", f"instances/{instance_id}/ssl", json=body)


def end(world: World, instance_id: str, state: State = State.SUCCESS) -> None:
    """What the conductor does at the end of the operation."""
    with world.database.write() as session:
        operation = session.get_one(Operation, session.get_one(Instance, instance_id).operation_id)
        operation.state = state
        arguments = world.keyring.unseal(operation.arguments)
        flow.ended(session, Ending(operation.id, operation.kind, instance_id, state, None, arguments))


def under_way(world: World, instance_id: str) -> Operation:
    """What goes on with it."""
    operation_id = world.instance(instance_id).operation_id
    assert operation_id is not None
    return world.operation(operation_id)


def asked(world: World, instance_id: str) -> Any:
    """The arguments of that."""
    return world.keyring.unseal(under_way(world, instance_id).arguments)


def left(world: World, instance_id: str) -> Any:
    """What it is to take up."""
    sealed = row(world, instance_id).sealed
    assert sealed is not None
    return world.keyring.unseal(sealed)


def shown(world: World, instance_id: str, query: str = "") -> Any:
    answer = world.ask("GET", f"instances/{instance_id}/ssl{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()["ssl"]


def row(world: World, instance_id: str) -> InstanceTls:
    with world.database.read() as session:
        return session.get_one(InstanceTls, instance_id)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"mode": "builtin"}, "ssl mode is not one of"),
    ({"mode": None}, "'mode'"),
    ({"container_ref": None}, "'container_ref'"),
    ({"container_ref": 7}, "ssl container_ref"),
    ({"password_ref": ""}, "ssl password_ref"),
    ({"disable": True}, "exactly one of"),
    ({"enable": None}, "exactly one of"),
    ({"enable": False}, "ssl enable"),
    ({"enable": None, "disable": True, "container_ref": None}, "'mode' is for enable only"),
    ({"colour": "red"}, "colour"),
    ({"container_ref": "file:none"}, "container_ref: there is no such secret"),
    ({"container_ref": "file:../p2/good"}, "container_ref: it must be file:NAME"),
    ({"container_ref": "file:rubbish"}, "container_ref: It is no PKCS#12 data"),
    ({"container_ref": "file:good"}, "container_ref: It is no PKCS#12 data, or not with this password"),
    ({"container_ref": "file:good", "password_ref": "file:wrong"}, "not with this password"),
    ({"container_ref": "file:good", "password_ref": "file:none"}, "password_ref: there is no such secret"),
    ({"container_ref": "file:part"}, "container_ref: The certificate of the authority CN=owner is not among"),
    ({"container_ref": "file:old"}, "container_ref: The certificate of CN=127.0.3.1 expired"),
    ({"container_ref": "file:alone", "mode": "mtls"}, "container_ref: mode mtls needs"),
]


@pytest.mark.parametrize(("changes", "told"), BAD)
def test_bad_input(world: World, secrets: pathlib.Path, changes: dict[str, Any], told: str) -> None:
    instance_id = world.active()
    answer = enable(world, instance_id, **changes)
    assert answer.status_code == 400, answer.text
    assert told in answer.json["badRequest"]["message"]
    assert world.instance(instance_id).operation_id is None


def test_what_is_recorded_and_what_is_forgotten(world: World, secrets: pathlib.Path, owner: Owner) -> None:
    world.conf.set_override("max_wait", 0.05, "api")
    instance_id = world.active()
    assert shown(world, instance_id) == {"status": "off", "mode": "builtin"}
    answer = enable(world, instance_id, mode="mtls", container_ref="file:good", password_ref="file:pw")
    assert answer.status_code == 200, answer.text
    assert world.ask("GET", f"instances/{instance_id}/ssl").status_code == 422, "not while it is changed"
    assert under_way(world, instance_id).kind == "instance.ssl"
    assert world.instance(instance_id).task == Task.UPDATING
    assert "PRIVATE KEY" not in str(asked(world, instance_id))
    identity = left(world, instance_id)
    assert certificates.fits(identity["certificate"], identity["key"])
    end(world, instance_id)
    kept = row(world, instance_id)
    assert (kept.mode, kept.sealed) == ("mtls", None)
    assert kept.previous == {"mode": "builtin", "container_ref": None, "password_ref": None}
    whole = shown(world, instance_id, "?include_certificate=True")
    assert (whole["status"], whole["mode"], whole["certificate"]["san"]) == ("on", "mtls", ["127.0.3.1"])
    assert whole["certificate"]["payload"] == kept.certificate
    assert shown(world, instance_id)["certificate"].keys() == {"cn", "expire_at", "san"}

    enable(world, instance_id, mode="basic")
    end(world, instance_id)
    rolled = world.ask("POST", f"instances/{instance_id}/ssl", json={"ssl": {"rollback": True}})
    assert rolled.status_code == 200, rolled.text
    arguments = asked(world, instance_id)
    assert (arguments["tls"]["mode"], arguments["tls"]["password_ref"]) == ("mtls", "file:pw")
    end(world, instance_id, State.REVERTED)
    kept = row(world, instance_id)
    assert (kept.mode, kept.sealed) == ("basic", None)
    assert "Changing TLS" in str(world.instance(instance_id).fault)


def test_who_may_and_when(world: World, secrets: pathlib.Path) -> None:
    instance_id = world.active()
    path = f"instances/{instance_id}/ssl"
    body = {"ssl": {"enable": True, "mode": "basic", "container_ref": "file:open"}}
    assert world.ask("POST", path, "other", json=body).status_code == 404
    assert world.ask("POST", path, "reader", json=body).status_code == 403
    assert world.ask("GET", path, "reader").status_code == 200
    assert world.ask("GET", path, "other").status_code == 404
    assert world.ask("GET", f"{path}?include_certificate=perhaps").status_code == 400
    nothing = world.ask("POST", path, json={"ssl": {"rollback": True}})
    assert (nothing.status_code, "rolled back" in nothing.text) == (400, True)
    with world.database.write() as session:
        session.get_one(Health, instance_id).service_status = "SHUTDOWN"
    assert world.ask("POST", path, json=body).status_code == 422
    building = world.created()
    assert world.ask("GET", f"instances/{building}/ssl").status_code == 422
    assert world.ask("POST", f"instances/{building}/ssl", json=body).status_code == 422


def test_a_replica_has_its_sources(world: World, secrets: pathlib.Path) -> None:
    world.conf.set_override("max_wait", 0.05, "api")
    source, replica = world.active(), world.active(name="db2")
    with world.database.write() as session:
        session.get_one(Instance, replica).replica_of_id = source
    refused = enable(world, replica)
    assert (refused.status_code, "is a replica" in refused.text) == (400, True)
    assert enable(world, source).status_code == 200
    assert under_way(world, replica).id == under_way(world, source).id
    assert asked(world, source)["instance_ids"] == [replica, source]
    assert under_way(world, source).members == [replica]
    end(world, source)
    assert [row(world, one).mode for one in (source, replica)] == ["basic", "basic"]
    assert [world.instance(one).operation_id for one in (source, replica)] == [None, None]
    with world.database.write() as session:
        session.get_one(Instance, replica).replica_of_id = None
    more = world.ask("POST", "instances", json={"instance": {"name": "db3", "replica_of": source}})
    assert more.status_code == 200, more.text
    made = more.get_json()["instance"]["id"]
    arguments = asked(world, made)
    assert (arguments["tls"], arguments["holder_id"]) == ({"mode": "basic"}, made)
    assert left(world, made)["mode"] == "basic"
    (secrets / "open").unlink()
    gone = world.ask("POST", "instances", json={"instance": {"name": "db4", "replica_of": source}})
    assert (gone.status_code, "container_ref: there is no such secret" in gone.text) == (400, True)

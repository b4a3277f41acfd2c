# SPDX-License-Identifier: Apache-2.0
"""Modules: who may do what with them, on their own and on instances, and what their operations leave behind."""

import base64
import hashlib
from typing import Any

import pytest

from conductor.ending import finish
from conductor.purge import Purge
from dbflow.api.app import create_app
from dbflow.api.auth import TokenFileAuth
from dbflow.db.models import DatastoreVersion, Instance, InstanceModule, InstanceTls, Module, Operation
from dbflow.messaging.errors import GuestUnreachable
from dbflow.operations import State
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task
from flows.registry import REGISTRY
from tests.unit.api.endings import ending
from tests.unit.api.world import World

UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
HELLO = base64.b64encode(b"message=hello").decode()
SQL = base64.b64encode(b"SELECT 1;\n-- undo\nSELECT 2").decode()
NEW = {"name": "hello", "module_type": "ping", "contents": HELLO}

pytestmark = pytest.mark.usefixtures("impatient")


def make(world: World, token: str = "owner", **changes: Any) -> Any:
    return world.ask("POST", "modules", token, json={"module": NEW | changes})


def made(world: World, token: str = "owner", **changes: Any) -> str:
    answer = make(world, token, **changes)
    assert answer.status_code == 200, answer.text
    module_id: str = answer.json["module"]["id"]
    return module_id


def change(world: World, module_id: str, token: str = "owner", **wanted: Any) -> Any:
    return world.ask("PUT", f"modules/{module_id}", token, json={"module": wanted})


def apply(world: World, instance_id: str, *module_ids: str) -> Any:
    body = {"modules": [{"id": one} for one in module_ids]}
    return world.ask("POST", f"instances/{instance_id}/modules", json=body)


def listed(world: World, token: str = "owner", query: str = "") -> list[str]:
    return [one["name"] for one in world.ask("GET", f"modules{query}", token).json["modules"]]


def has(world: World, instance_id: str) -> dict[str, str | None]:
    with world.database.read() as session:
        rows = session.query(InstanceModule).filter_by(instance_id=instance_id)
        return {row.module_id: row.md5 for row in rows}


def test_made_and_shown(world: World) -> None:
    shown = make(world, description="says hello").json["module"]
    assert shown | {"id": "", "created": "", "updated": ""} == {
        "id": "",
        "name": "hello",
        "type": "ping",
        "description": "says hello",
        "tenant_id": "p1",
        "tenant": "p1",
        "datastore_id": None,
        "datastore": "all",
        "datastore_version_id": None,
        "datastore_version": "all",
        "auto_apply": False,
        "priority_apply": False,
        "apply_order": 5,
        "is_admin": False,
        "md5": hashlib.md5(HELLO.encode(), usedforsecurity=False).hexdigest(),
        "visible": True,
        "live_update": False,
        "instance_count": 0,
        "created": "",
        "updated": "",
    }
    assert world.ask("GET", f"modules/{shown['id']}").json == {"module": shown}
    (one,) = world.ask("GET", "modules").json["modules"]
    assert one == {name: shown[name] for name in one}
    assert not one.keys() & {"live_update", "instance_count", "contents"}
    with world.database.read() as session:
        row = session.get_one(Module, shown["id"])
    assert HELLO not in row.contents
    assert world.keyring.unseal(row.contents) == HELLO


def test_what_a_module_is_for(world: World) -> None:
    narrow = make(world, datastore={"type": "mariadb", "version": "10.11"}).json["module"]
    assert (narrow["datastore"], narrow["datastore_version"]) == ("mariadb", "10.11")
    made(world, name="wide")
    assert (listed(world, query="?datastore=mariadb"), listed(world, query="?datastore=all")) == (["hello"], ["wide"])
    assert world.ask("GET", "modules?datastore=oracle").status_code == 404
    wider = change(world, narrow["id"], all_datastore_versions=1).json["module"]
    assert (wider["datastore"], wider["datastore_version"]) == ("mariadb", "all")
    again = change(world, narrow["id"], datastore={"version": world.version_id}).json["module"]
    assert again["datastore_version_id"] == world.version_id
    assert change(world, narrow["id"], datastore={"type": "mariadb"}).json["module"]["datastore_version"] == "10.11"
    assert change(world, narrow["id"], all_datastores=1).json["module"]["datastore"] == "all"
    for wrong in (
        {"all_datastores": 1, "datastore": {"type": "mariadb"}},
        {"all_datastore_versions": 1, "datastore": {"type": "mariadb", "version": "10.11"}},
        {"datastore": {"version": "10.11"}},
        {"datastore": {"type": "mariadb", "version": "9"}},
    ):
        assert change(world, narrow["id"], **wrong).status_code == 400, wrong
    assert change(world, narrow["id"], datastore={"type": "oracle"}).status_code == 404


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"name": ""}, 400, "module name"),
        ({"name": "-"}, 400, "module name"),
        ({"name": None}, 400, "module name"),
        ({"module_type": "new_relic_license"}, 404, "module_type"),
        ({"module_type": 1}, 400, "module module_type"),
        ({"contents": "not base64!"}, 400, "base64"),
        ({"contents": ""}, 400, "module contents"),
        ({"contents": "===="}, 400, "contents"),
        ({"contents": base64.b64encode(b"hello").decode()}, 400, "message=TEXT"),
        ({"contents": base64.b64encode(b"message=" + b"x" * 70000).decode()}, 400, "65536"),
        ({"contents": HELLO + "\u2003" * 100000}, 400, "too long"),
        ({"module_type": "sql", "contents": base64.b64encode(b"-- undo\nSELECT 1").decode()}, 400, "contents"),
        ({"module_type": "sql", "contents": base64.b64encode(b"\xff\xfe\x00").decode()}, 400, "UTF-8"),
        ({"apply_order": 10}, 400, "apply_order"),
        ({"apply_order": "1"}, 400, "apply_order"),
        ({"visible": "yes"}, 400, "visible"),
        ({"live_update": 2}, 400, "live_update"),
        ({"description": 1}, 400, "description"),
        ({"datastore": "mariadb"}, 400, "datastore"),
        ({"datastore": {"type": "oracle"}}, 404, "datastore"),
        ({"datastore": {"type": "mariadb", "version": "9"}}, 400, "datastore.version"),
    ],
)
def test_bad_input(world: World, changes: dict[str, Any], code: int, words: str) -> None:
    answer = make(world, **changes)
    assert (answer.status_code, words in answer.text) == (code, True), answer.text
    assert world.count(Module) == 0


def test_names_are_taken_once(world: World) -> None:
    first = made(world)
    assert make(world).status_code == 400
    assert "already exists" in make(world).text
    made(world, "other")
    made(world, datastore={"type": "mariadb"})
    made(world, module_type="sql", contents=SQL)
    second = made(world, name="second")
    assert change(world, second, name="hello").status_code == 400
    assert world.ask("DELETE", f"modules/{first}").status_code == 200
    assert change(world, second, name="hello").status_code == 200


@pytest.mark.parametrize(
    "option", [{"all_tenants": 1}, {"auto_apply": 1}, {"visible": 0}, {"priority_apply": 1}, {"full_access": 0}]
)
def test_for_administrators(world: World, option: dict[str, Any]) -> None:
    refused = make(world, **option)
    assert (refused.status_code, "administrator" in refused.text) == (403, True)
    module_id = made(world)
    assert change(world, module_id, **option).status_code == 403
    shown = make(world, "admin", **option).json["module"]
    assert shown["is_admin"]
    if shown["tenant_id"] is None and shown["visible"]:
        assert change(world, shown["id"], name="mine").status_code == 403
        assert world.ask("DELETE", f"modules/{shown['id']}").status_code == 403


def test_who_sees_what(world: World) -> None:
    mine = made(world)
    everybody, hidden = made(world, "admin", name="e", all_tenants=1), made(world, "admin", name="h", visible=0)
    assert (listed(world), listed(world, "other")) == (["e", "hello"], ["e"])
    assert listed(world, "admin") == ["e", "h", "hello"]
    for method, body in (("GET", None), ("PUT", {"module": {"name": "x"}}), ("DELETE", None)):
        for module_id, token in ((mine, "other"), (hidden, "owner"), (UUID, "owner"), ("hello", "owner")):
            assert world.ask(method, f"modules/{module_id}", token, json=body).status_code == 404
    assert world.ask("GET", f"modules/{everybody}", "other").status_code == 200
    assert world.ask("POST", "modules", "reader", json={"module": NEW}).status_code == 403


def test_full_access_gives_an_administrators_module_to_its_project(world: World) -> None:
    url = "/v1.0/p1/modules"
    theirs = world.ask("POST", url, "admin", json={"module": NEW | {"full_access": 1}}, headers={})
    assert theirs.status_code == 403, "the token is of another project"
    given = make(world, "admin", full_access=1).json["module"]
    assert not given["is_admin"]
    assert make(world, "admin", name="x", full_access=1, auto_apply=1).status_code == 400
    assert change(world, given["id"], "admin", full_access=0).json["module"]["is_admin"]


def test_both_names_of_the_type(world: World) -> None:
    module_id = made(world)
    assert change(world, module_id, type="sql", contents=SQL).json["module"]["type"] == "sql"
    assert change(world, module_id, module_type="PING", contents=HELLO).json["module"]["type"] == "ping"
    assert change(world, module_id, type="sql").json["module"]["type"] == "sql", "any text is SQL until it is run"
    assert change(world, module_id, type="ping", contents=SQL).status_code == 400


def test_scripts_are_for_those_who_may_enable_root(world: World) -> None:
    rules = world.token_file.parent / "policy.yaml"
    rules.write_text('"instance:extension:root:create": "rule:admin"\n')
    world.conf.set_override("policy_file", str(rules), "oslo_policy")
    world.app = create_app(world.services, TokenFileAuth(world.token_file))
    world.client = world.app.test_client()
    assert make(world, module_type="sql", contents=SQL).status_code == 403
    module_id = made(world)
    assert change(world, module_id, type="sql", contents=SQL).status_code == 403


def test_applied(world: World) -> None:
    first, second = made(world, apply_order=7), made(world, name="second", apply_order=2)
    instance_id = world.active()
    ending(world)
    world.guests.error = GuestUnreachable("silent")
    answer = apply(world, instance_id, first, second)
    assert answer.status_code == 200, answer.text
    assert [(one["name"], one["status"]) for one in answer.json["modules"]] == [("hello", "OK"), ("second", "OK")]
    operation_id = answer.headers["Link"].partition("operations/")[2].partition(">")[0]
    arguments = world.keyring.unseal(world.operation(operation_id).arguments)
    assert [one["id"] for one in arguments["modules"]] == [second, first]
    assert arguments["modules"][1]["secret"] == HELLO
    shown = world.ask("GET", f"modules/{first}").json["module"]
    assert (has(world, instance_id)[first], shown["instance_count"]) == (shown["md5"], 1)
    on_it = world.ask("GET", f"instances/{instance_id}/modules").json["modules"]
    assert [one["id"] for one in on_it] == [first, second]
    assert world.instance(instance_id).task == Task.NONE
    assert world.ask("GET", f"instances/{instance_id}/modules?from_guest=1").status_code == 503


def test_applied_or_not(world: World) -> None:
    module_id, instance_id = made(world), world.active()
    ending(world, State.REVERTED, "step apply-module-1: no")
    refused = apply(world, instance_id, module_id)
    assert (refused.status_code, "step apply-module-1: no" in refused.text) == (422, True)
    assert has(world, instance_id) == {}
    assert world.instance(instance_id).fault["message"].startswith("Applying the modules failed")
    ending(world, State.FAILED, "Could not be undone", frozenset({"apply-module-1"}))
    assert apply(world, instance_id, module_id).status_code == 422
    assert (has(world, instance_id), world.instance(instance_id).task) == ({module_id: None}, Task.ERROR)
    assert world.ask("DELETE", f"modules/{module_id}").status_code == 403, "it may be there"


def test_what_a_parked_apply_has_left_stays_known(world: World) -> None:
    """However the next one ends: nobody could remove it otherwise."""
    module_id, instance_id = made(world), world.active()
    ending(world, State.FAILED, "Could not be undone", frozenset({"apply-module-1"}))
    assert apply(world, instance_id, module_id).status_code == 422
    with world.database.write() as session:
        session.get_one(Instance, instance_id).task = Task.NONE
    ending(world, State.REVERTED, "step apply-module-1: it is there")
    fresh = made(world, name="fresh")
    assert apply(world, instance_id, module_id, fresh).status_code == 422
    assert has(world, instance_id) == {module_id: None}


def test_what_is_applied_stays_as_it_is(world: World) -> None:
    module_id, instance_id = made(world), world.active()
    assert apply(world, instance_id, module_id).status_code == 200, "accepted, and not done yet"
    other = base64.b64encode(b"message=other").decode()
    for wanted in ({"contents": other}, {"type": "sql", "contents": SQL}, {"datastore": {"type": "mariadb"}}):
        refused = change(world, module_id, **wanted)
        assert (refused.status_code, "live_update" in refused.text) == (403, True), wanted
    assert world.ask("DELETE", f"modules/{module_id}").status_code == 403
    assert change(world, module_id, name="other", live_update=1, contents=other).status_code == 403
    assert change(world, module_id, name="other", live_update=1).status_code == 200
    assert change(world, module_id, contents=other).status_code == 200
    assert world.ask("DELETE", f"modules/{module_id}").status_code == 200
    assert (listed(world), world.count(Module)) == ([], 1), "the instance has it still"
    assert has(world, instance_id) == {module_id: None}


def test_removed(world: World) -> None:
    module_id, instance_id = made(world, live_update=1), world.active()
    path = f"instances/{instance_id}/modules/{module_id}"
    assert world.ask("DELETE", path).status_code == 404, "it does not have it"
    ending(world)
    apply(world, instance_id, module_id)
    assert world.ask("DELETE", f"modules/{module_id}").status_code == 200
    assert world.ask("DELETE", path, "other").status_code == 404
    ending(world, State.REVERTED, "no")
    assert world.ask("DELETE", path).status_code == 422
    assert set(has(world, instance_id)) == {module_id}
    ending(world)
    assert world.ask("DELETE", path).status_code == 200
    assert (has(world, instance_id), world.count(Module)) == ({}, 0), "nobody has it any more"


def test_what_does_not_fit(world: World) -> None:
    instance_id = world.active()
    theirs = made(world, "admin", name="theirs")
    assert apply(world, instance_id, theirs).status_code == 404
    url = f"/v1.0/padmin/instances/{instance_id}/modules"
    assert world.ask("POST", url, "admin", json={"modules": [{"id": theirs}]}).status_code == 400
    for body in ({}, {"modules": []}, {"modules": [{}]}, {"modules": [{"id": UUID}]}):
        code = 404 if body.get("modules") == [{"id": UUID}] else 400
        answer = world.ask("POST", f"instances/{instance_id}/modules", json=body)
        assert (answer.status_code, "odule" in answer.text) == (code, True)
    assert world.ask("POST", f"instances/{UUID}/modules", json={"modules": [{"id": UUID}]}).status_code == 404
    building = world.created()
    assert apply(world, building, made(world)).status_code == 422
    world.conf.set_override("types", ["ping"], "modules")
    assert make(world, name="t", module_type="sql", contents=SQL).status_code == 404


def test_new_instances_have_what_every_one_has(world: World) -> None:
    asked = made(world, name="asked", apply_order=0)
    late = made(world, "admin", name="late", all_tenants=1, auto_apply=1, apply_order=9)
    first = made(world, "admin", name="first", all_tenants=1, auto_apply=1, priority_apply=1, visible=0)
    made(world, "admin", name="elsewhere", auto_apply=1)
    instance_id = world.created(modules=[{"id": asked}, {"id": asked}])
    operation = world.operation(world.instance(instance_id).operation_id or "")
    arguments = world.keyring.unseal(operation.arguments)
    assert ([one["id"] for one in arguments["modules"]], operation.version) == ([first, asked, late], 2)
    assert has(world, instance_id) == {first: None, asked: None, late: None}
    assert world.ask("GET", f"instances/{instance_id}/modules").json["modules"][0]["name"] == "asked"
    with world.database.write() as session:
        row = session.get_one(Operation, operation.id)
        definition = REGISTRY.definition("instance.create")
        finish(session, row, definition, arguments, State.SUCCESS, None, world.services.outbox)
    assert None not in has(world, instance_id).values()
    ending(world)
    assert world.ask("DELETE", f"instances/{instance_id}/modules/{late}").status_code in (403, 422)
    assert world.ask("DELETE", f"instances/{instance_id}").status_code == 202
    assert has(world, instance_id) == {}


def test_what_a_guest_says_is_shown_to_whom_it_is_for_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance_id = world.active()
    hidden, shown, private = made(world, name="h"), made(world, name="s"), made(world, name="p")
    given = {"name": "m", "type": "ping", "visible": True, "is_admin": False}
    said = [given | {"id": hidden}, given | {"id": shown, "visible": False}, given | {"id": private}]
    unknown = given | {"id": UUID, "is_admin": True}
    monkeypatch.setattr(world.guests, "ListModules", lambda: [*said, unknown], raising=False)
    monkeypatch.setattr(world.guests, "ModuleContents", lambda module_id: HELLO, raising=False)
    with world.database.write() as session:
        session.get_one(Module, hidden).visible = False
        session.get_one(Module, private).is_admin = True
    answer = world.ask("GET", f"instances/{instance_id}/modules?from_guest=1&include_contents=1")
    contents = {one["id"]: one["contents"] for one in answer.json["modules"]}
    assert set(contents) == {shown, private, UUID}
    assert [one for one, text in contents.items() if text == HELLO] == [shown]


def test_counted_and_reapplied(world: World) -> None:
    module_id = made(world, live_update=1)
    instance_ids = sorted([world.active(), world.active()])
    ending(world)
    for one in instance_ids:
        assert apply(world, one, module_id).status_code == 200
    path = f"modules/{module_id}/instances"
    assert [one["id"] for one in world.ask("GET", path).json["instances"]] == instance_ids
    first = world.ask("GET", f"{path}?limit=1").json
    assert ([one["id"] for one in first["instances"]], "links" in first) == (instance_ids[:1], True)
    rest = world.ask("GET", f"{path}?limit=1&marker={instance_ids[0]}").json
    assert ([one["id"] for one in rest["instances"]], "links" in rest) == (instance_ids[1:], False)
    (count,) = world.ask("GET", f"{path}?count_only=True").json["instances"]
    assert (count["module_name"], count["instance_count"], count["current"]) == ("hello", 2, True)

    world.services.post = lambda operation: world.posted.append(operation.id)
    nothing = world.ask("PUT", path, json={"reapply": {}})
    assert (nothing.status_code, "Link" in nothing.headers) == (202, False), "they have what it is"
    assert world.ask("PUT", path, json={"reapply": {"md5": "0" * 32, "force": 1}}).headers.get("Link") is None
    accepted = world.ask("PUT", path, json={"reapply": {"force": 1, "batch_size": 500, "batch_delay": 0}})
    assert (accepted.status_code, "Link" in accepted.headers) == (202, True)
    arguments = world.keyring.unseal(world.operation(world.posted[-1]).arguments)
    assert arguments == {"module_id": module_id, "instance_ids": instance_ids, "batch_size": 50, "batch_delay": 2}
    for answer in (
        world.ask("PUT", path, json={"reapply": {"force": 1}}),
        change(world, module_id, name="x"),
        world.ask("DELETE", f"modules/{module_id}"),
    ):
        assert (answer.status_code, "busy" in answer.text) == (422, True)
    assert apply(world, instance_ids[0], module_id).status_code in (200, 202), "instances have their own order"
    assert world.create(name="later", modules=[{"id": module_id}]).status_code == 200
    for wrong in ({"md5": "x"}, {"batch_size": -1}, {"batch_delay": "1"}, {"force": "yes"}):
        answer = world.ask("PUT", path, json={"reapply": wrong})
        assert (answer.status_code, next(iter(wrong)) in answer.text) == (400, True)
    assert world.ask("PUT", path, json={}).status_code == 400


def test_how_much_an_instance_is_given_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, instance_id = made(world), made(world, name="second"), world.active()
    for answer in (
        apply(world, instance_id, *[UUID] * 101),
        world.create(name="many", modules=[{"id": UUID}] * 101),
    ):
        assert (answer.status_code, "modules" in answer.text) == (400, True)
    monkeypatch.setattr("dbflow.services.module_choice._MOST", 2 * len(HELLO) - 1)
    for answer in (
        apply(world, instance_id, first, second),
        world.create(name="large", modules=[{"id": first}, {"id": second}]),
    ):
        assert (answer.status_code, "too large together" in answer.text) == (400, True)
    assert has(world, instance_id) == {}
    assert world.create(name="small", modules=[{"id": first}]).status_code == 200


def test_instances_that_are_gone_have_nothing(world: World) -> None:
    """A conductor of a former release deletes them without a look at their modules."""
    module_id, doomed, instance_id = made(world, live_update=1), made(world, name="doomed"), world.active()
    ending(world)
    assert apply(world, instance_id, module_id, doomed).status_code == 200
    assert world.ask("DELETE", f"modules/{module_id}").status_code == 200
    assert world.ask("DELETE", f"modules/{doomed}").status_code == 403
    with world.database.write() as session:
        session.get_one(Instance, instance_id).deleted = True
        session.add(InstanceTls(instance_id=instance_id, mode="builtin"))
        session.add(InstanceTls(instance_id=UUID, mode="builtin"))
    assert world.ask("GET", f"modules/{doomed}").json["module"]["instance_count"] == 0
    assert change(world, doomed, contents=base64.b64encode(b"message=other").decode()).status_code == 200
    assert world.ask("DELETE", f"modules/{doomed}").status_code == 200
    assert (set(has(world, instance_id)), world.count(Module)) == ({module_id}, 1)
    Purge(7 * 86400, world.database).purge()
    assert (has(world, instance_id), world.count(Module)) == ({}, 0)
    with world.database.read() as session:
        assert [row.instance_id for row in session.query(InstanceTls)] == [UUID], "what is no instance's yet stays"


@pytest.mark.parametrize("narrowed", ["version", "datastore", "project"])
def test_reapplied_to_those_that_it_is_for(world: World, narrowed: str) -> None:
    module_id = made(world, "admin", all_tenants=1, live_update=1)
    instance_ids = sorted([world.active(), world.active()])
    ending(world)
    for one in instance_ids:
        assert apply(world, one, module_id).status_code == 200
    elsewhere = (
        ensure_datastore(world.database, "mariadb", "11.8", "11.8.1", "mariadb", None)
        if narrowed == "version"
        else ensure_datastore(world.database, "other", "1", "1", "mariadb", None)
    )
    with world.database.write() as session:
        instance = session.get_one(Instance, instance_ids[0])
        module = session.get_one(Module, module_id)
        version = session.get_one(DatastoreVersion, world.version_id)
        if narrowed == "project":
            instance.project_id, module.project_id = "p2", "p1"
        else:
            instance.datastore_version_id = elsewhere
            module.datastore_id = version.datastore_id
            module.datastore_version_id = version.id if narrowed == "version" else None
    world.services.post = lambda operation: world.posted.append(operation.id)
    answer = world.ask("PUT", f"modules/{module_id}/instances", "admin", json={"reapply": {"force": 1}})
    assert answer.status_code == 202, answer.text
    arguments = world.keyring.unseal(world.operation(world.posted[-1]).arguments)
    assert arguments["instance_ids"] == instance_ids[1:]

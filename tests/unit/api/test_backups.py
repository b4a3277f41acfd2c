# SPDX-License-Identifier: Apache-2.0
"""Backups: shapes, irregular codes, pages, chains, and what may not be."""

from typing import Any

import pytest

from dbflow.backupmanifest import NAME, Manifest, digest
from dbflow.db.models import Backup, Health, Instance, Operation, ProjectKey, new_id
from dbflow.operations import State
from dbflow.status import BackupState, Task
from tests.unit.api.world import World

SEEN = {
    "id", "name", "description", "locationRef", "instance_id", "created", "updated", "size", "status", "parent_id",
    "project_id", "datastore",
}  # fmt: skip


def back_up(world: World, instance_id: str, token: str = "owner", **more: Any) -> Any:
    return world.ask("POST", "backups", token, json={"backup": {"name": "b1", "instance": instance_id, **more}})


def finish(world: World, backup_id: str, state: BackupState = BackupState.COMPLETED, **columns: Any) -> str:
    """What the conductor does at the end of a backup."""
    with world.database.write() as session:
        backup = session.get_one(Backup, backup_id)
        if backup.operation_id is not None:
            session.get_one(Operation, backup.operation_id).state = State.SUCCESS
        backup.state, backup.operation_id = state, None
        backup.size, backup.position, backup.checksum = 0.14, {"to_lsn": "4711", "gtid": "0-1-7"}, "00" * 32
        for name, value in columns.items():
            setattr(backup, name, value)
        if backup.instance_id is not None:
            instance = session.get_one(Instance, backup.instance_id)
            instance.operation_id, instance.task = None, Task.NONE
    return backup_id


def completed(world: World, instance_id: str, **more: Any) -> str:
    answer = back_up(world, instance_id, **more)
    assert answer.status_code == 202, answer.text
    return finish(world, answer.json["backup"]["id"])


def row(world: World, backup_id: str) -> Backup:
    with world.database.read() as session:
        return session.get_one(Backup, backup_id)


def arguments(world: World) -> dict[str, Any]:
    """Of the operation posted last."""
    found: dict[str, Any] = world.keyring.unseal(world.operation(world.posted[-1]).arguments)
    return found


def test_a_new_backup(world: World) -> None:
    instance_id = world.active()
    answer = back_up(world, instance_id, description="before the move")
    assert answer.status_code == 202
    shown = answer.json["backup"]
    assert set(shown) == SEEN
    assert (shown["status"], shown["size"], shown["locationRef"], shown["parent_id"]) == ("NEW", None, None, None)
    assert (shown["instance_id"], shown["project_id"]) == (instance_id, "p1")
    assert shown["datastore"] == {"type": "mariadb", "version": "10.11", "version_id": world.version_id}
    operation_id = row(world, shown["id"]).operation_id
    assert answer.headers["Link"].endswith(f'/operations/{operation_id}>; rel="operation"')
    assert world.posted[-1] == operation_id
    assert arguments(world) == {"backup_id": shown["id"], "strategy": "physical", "parent": None}
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "BACKUP"


def test_the_instance_may_be_named_by_its_link(world: World) -> None:
    instance_id = world.active()
    answer = back_up(world, f"https://host/v1.0/p1/instances/{instance_id}")
    assert answer.json["backup"]["instance_id"] == instance_id


def test_a_second_backup_has_to_wait(world: World) -> None:
    instance_id = world.active()
    back_up(world, instance_id)
    assert back_up(world, instance_id).status_code == 422
    assert world.ask("DELETE", f"instances/{instance_id}").status_code == 202


def test_an_instance_that_builds_is_not_backed_up(world: World) -> None:
    assert back_up(world, world.created()).status_code == 422


def test_quota(world: World) -> None:
    world.conf.set_override("max_backups_per_tenant", 1, "quota")
    instance_id = world.active()
    completed(world, instance_id)
    answer = back_up(world, instance_id)
    assert answer.status_code == 413
    assert "backups" in answer.json["overLimit"]["message"]
    quotas = {one["resource"]: one["in_use"] for one in world.ask("GET", "mgmt/quotas/p1").json["quotas"]}
    assert quotas["backups"] == 1


def test_incremental_by_parent(world: World) -> None:
    instance_id = world.active()
    parent = completed(world, instance_id)
    child = back_up(world, instance_id, parent_id=parent).json["backup"]
    assert child["parent_id"] == parent
    assert arguments(world)["parent"] == {"to_lsn": "4711", "gtid": "0-1-7"}


def test_incremental_to_the_last(world: World) -> None:
    instance_id = world.active()
    assert back_up(world, instance_id, incremental=1).json["backup"]["parent_id"] is None
    first = finish(world, world.ask("GET", "backups").json["backups"][0]["id"])
    second = completed(world, instance_id, incremental=1)
    assert row(world, second).parent_id == first
    failed = back_up(world, instance_id).json["backup"]["id"]
    finish(world, failed, BackupState.FAILED)
    assert back_up(world, instance_id, incremental=1).json["backup"]["parent_id"] == second


def test_parents_are_checked(world: World) -> None:
    instance_id, other = world.active(), world.active()
    assert back_up(world, instance_id, parent_id=new_id()).status_code == 404
    of_other = completed(world, other)
    assert back_up(world, instance_id, parent_id=of_other).status_code == 400
    failed = back_up(world, instance_id).json["backup"]["id"]
    finish(world, failed, BackupState.FAILED)
    assert back_up(world, instance_id, parent_id=failed).status_code == 409
    dumped = completed(world, instance_id, strategy="logical")
    assert back_up(world, instance_id, parent_id=dumped).status_code == 400
    full = completed(world, instance_id)
    assert back_up(world, instance_id, parent_id=full, strategy="logical").status_code == 400


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"name": None}, 400, "name"),
        ({"name": ""}, 400, "name"),
        ({"instance": None}, 400, "instance"),
        ({"instance": "nothing"}, 404, "nothing"),
        ({"incremental": True}, 400, "incremental"),
        ({"incremental": 2}, 400, "incremental"),
        ({"strategy": "magic"}, 400, "strategy"),
        ({"storage_driver": "cinder"}, 501, "storage_driver"),
        ({"storage_driver": "tape"}, 400, "storage_driver"),
        ({"swift_container": "a/b"}, 400, "swift_container"),
        ({"swift_container": ".."}, 400, "swift_container"),
        ({"swift_container": "a\n"}, 400, "swift_container"),
        ({"swift_container": "ü" * 43}, 400, "swift_container"),
        ({"description": 7}, 400, "description"),
        ({"restore_from": {}}, 400, "restore_from"),
    ],
)
def test_a_bad_create(world: World, change: dict[str, Any], code: int, words: str) -> None:
    wanted = {"name": "b1", "instance": world.active()} | change
    body = {"backup": {key: value for key, value in wanted.items() if value is not None}}
    answer = world.ask("POST", "backups", json=body)
    assert answer.status_code == code, answer.text
    assert words in next(iter(answer.json.values()))["message"]
    assert world.count(Backup) == 0


def test_list_filters_and_pages(world: World) -> None:
    one, two = world.active(), world.active()
    ids = [completed(world, instance_id) for instance_id in (one, two, one)]
    page = world.ask("GET", "backups?limit=2").json
    assert [backup["id"] for backup in page["backups"]] == ids[:0:-1]
    (link,) = page["links"]
    assert (link["rel"], link["href"].endswith("limit=2&marker=2")) == ("next", True)
    rest = world.ask("GET", "backups?limit=2&marker=2").json
    assert [backup["id"] for backup in rest["backups"]] == ids[:1]
    assert "links" not in rest
    assert len(world.ask("GET", "backups?limit=500").json["backups"]) == 3
    assert len(world.ask("GET", f"backups?instance_id={one}").json["backups"]) == 2
    assert len(world.ask("GET", "backups?datastore=mariadb").json["backups"]) == 3
    assert world.ask("GET", "backups?datastore=redis").json["backups"] == []
    for wrong in ("marker=x", "limit=x", "limit=-1", "all_projects=perhaps"):
        assert world.ask("GET", f"backups?{wrong}").status_code == 400


def test_other_projects(world: World) -> None:
    mine = completed(world, world.active())
    assert world.ask("GET", f"backups/{mine}", "other").status_code == 404
    assert world.ask("DELETE", f"backups/{mine}", "other").status_code == 404
    assert world.ask("GET", "backups", "other").json["backups"] == []
    assert world.ask("GET", "backups?project_id=p1", "other").status_code == 403
    assert world.ask("GET", "backups?all_projects=True", "other").status_code == 403
    assert world.ask("GET", "backups", "admin").json["backups"] == []
    assert len(world.ask("GET", "backups?all_projects=True", "admin").json["backups"]) == 1
    assert len(world.ask("GET", "backups?project_id=p1", "admin").json["backups"]) == 1
    assert world.ask("GET", f"backups/{mine}", "admin").status_code == 200


def test_readers_only_look(world: World) -> None:
    instance_id = world.active()
    mine = completed(world, instance_id)
    assert world.ask("GET", f"backups/{mine}", "reader").status_code == 200
    assert back_up(world, instance_id, "reader").status_code == 403
    assert world.ask("DELETE", f"backups/{mine}", "reader").status_code == 403


def test_backups_of_an_instance_outlive_it(world: World) -> None:
    instance_id = world.active()
    mine = completed(world, instance_id)
    with world.database.write() as session:
        session.get_one(Instance, instance_id).deleted = True
    found = world.ask("GET", f"instances/{instance_id}/backups").json["backups"]
    assert [backup["id"] for backup in found] == [mine]
    assert world.ask("GET", f"instances/{instance_id}/backups", "other").status_code == 404
    assert world.ask("GET", f"instances/{new_id()}/backups").status_code == 404


def test_delete_takes_the_differences_along(world: World) -> None:
    instance_id = world.active()
    full = completed(world, instance_id)
    child = completed(world, instance_id, parent_id=full)
    grandchild = completed(world, instance_id, parent_id=child)
    answer = world.ask("DELETE", f"backups/{full}")
    assert (answer.status_code, answer.data) == (202, b"")
    assert arguments(world) == {"backup_ids": [grandchild, child, full]}
    again = world.ask("DELETE", f"backups/{full}")
    assert (again.status_code, again.headers["Link"]) == (202, answer.headers["Link"])
    # What is being deleted is of no use any more.
    assert world.ask("DELETE", f"backups/{child}").status_code == 422
    assert back_up(world, instance_id, parent_id=child).status_code == 409
    assert world.create(restorePoint={"backupRef": full}).status_code == 409


def test_what_is_being_made_is_not_deleted(world: World) -> None:
    instance_id = world.active()
    running = back_up(world, instance_id).json["backup"]["id"]
    assert world.ask("DELETE", f"backups/{running}").status_code == 422
    full = finish(world, running)
    back_up(world, instance_id, parent_id=full)
    assert world.ask("DELETE", f"backups/{full}").status_code == 422


def kept(world: World, backup_id: str, /, **changes: Any) -> str:
    """As if its objects were in the store: the location of its manifest."""
    backup = row(world, backup_id)
    known = Manifest(
        backup_id=backup_id,
        project_id="p1",
        parent_id=backup.parent_id,
        datastore="mariadb",
        datastore_version="10.11.14",
        strategy="physical",
        stream="s",
        segments=(),
        stream_size=0,
        data_size=0.14,
        position={},
        created="",
    )
    data = (known.__class__(**{**known.__dict__, **changes})).to_bytes()
    world.objects.make_container(backup.container)
    path = world.objects._directory.file(backup.container, f"{backup.prefix}{NAME}")  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    finish(world, backup_id, BackupState(backup.state), checksum=digest(data))
    return world.objects.location(backup.container, f"{backup.prefix}{NAME}")


def test_restore(world: World) -> None:
    instance_id = world.active()
    full = completed(world, instance_id)
    child = completed(world, instance_id, parent_id=full)
    for backup_id in (full, child):
        kept(world, backup_id)
    restored = world.created(restorePoint={"backupRef": f"https://h/v1.0/p1/backups/{child}"}, name="r")
    operation = world.operation(world.posted[-1])
    assert operation.kind == "instance.restore"
    assert arguments(world)["backup_ids"] == [full, child]
    # Neither can go while an instance is made from it.
    for backup_id in (full, child):
        assert world.ask("DELETE", f"backups/{backup_id}").status_code == 422
    with world.database.write() as session:
        session.get_one(Instance, restored).restoring_id = None
    assert world.ask("DELETE", f"backups/{full}").status_code == 202


def test_a_restore_that_can_not_be(world: World) -> None:
    instance_id = world.active()
    running = back_up(world, instance_id).json["backup"]["id"]
    assert world.create(restorePoint={"backupRef": running}).status_code == 409
    mine = finish(world, running)
    assert world.create(restorePoint={"backupRef": mine}).status_code == 404  # no file
    kept(world, mine)
    finish(world, mine, checksum="11" * 32)
    assert world.create(restorePoint={"backupRef": mine}).status_code == 409  # another file
    kept(world, mine)
    assert world.create("other", restorePoint={"backupRef": mine}).status_code == 404
    with world.database.write() as session:
        session.get_one(Backup, mine).size = 1.5
    assert world.create(restorePoint={"backupRef": mine}).status_code == 403  # too large
    assert world.create(restorePoint={"backupRef": mine}, volume={"size": 2}).status_code == 200


def test_restore_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup of whose objects the row was lost."""
    instance_id = world.active()
    lost = completed(world, instance_id)
    location = kept(world, lost)
    prefix = row(world, lost).prefix
    with world.database.write() as session:
        session.get_one(Backup, lost).deleted = True
    source = {"remote_location": location, "local_datastore_version_id": world.version_id, "size": 1}
    body = {"backup": {"name": "found", "restore_from": source}}
    assert world.ask("POST", "backups", json=body).status_code == 409  # the project has no key here
    with world.database.write() as session:
        session.add(ProjectKey(project_id="p1", sealed=world.keyring.seal("AAAA")))
    answer = world.ask("POST", "backups", json=body)
    assert answer.status_code == 202, answer.text
    shown = answer.json["backup"]
    assert (shown["status"], shown["instance_id"], shown["locationRef"]) == ("RESTORED", None, location)
    assert row(world, shown["id"]).prefix == prefix
    again = world.ask("POST", "backups", json=body)
    assert again.status_code == 409
    assert f"it is backup {shown['id']} already" in again.text
    with monkeypatch.context() as patch:
        patch.setattr("dbflow.api.idempotent.after", lambda _response: None)
        with world.database.write() as session:
            session.get_one(Backup, shown["id"]).deleted = True
        key = {"Idempotency-Key": "k"}
        first = world.ask("POST", "backups", json=body, headers=key)
    again = world.ask("POST", "backups", json=body, headers=key)
    assert (again.status_code, again.json) == (202, first.json), "the answer was lost, the backup is there"
    shown = first.json["backup"]
    assert world.create(restorePoint={"backupRef": shown["id"]}).status_code == 200
    foreign = {"backup": {"name": "found", "restore_from": {**source, "remote_location": "https://else/a/b"}}}
    assert world.ask("POST", "backups", json=foreign).status_code == 400
    assert world.ask("POST", "backups", "other", json=body).status_code == 404


def test_a_difference_is_registered_after_what_it_is_to(world: World) -> None:
    instance_id = world.active()
    full = completed(world, instance_id)
    child = completed(world, instance_id, parent_id=full)
    kept(world, full)
    location = kept(world, child)
    with world.database.write() as session:
        session.merge(ProjectKey(project_id="p1", sealed=world.keyring.seal("AAAA")))
        session.get_one(Backup, child).deleted = True
        session.get_one(Backup, full).operation_id = "being deleted"
    source = {"remote_location": location, "local_datastore_version_id": world.version_id, "size": 1}
    body = {"backup": {"name": "found", "restore_from": source}}
    assert f"difference to backup {full}, which is not completed" in world.ask("POST", "backups", json=body).text
    with world.database.write() as session:
        session.get_one(Backup, full).operation_id = None
    found = world.ask("POST", "backups", json=body).json["backup"]
    assert found["parent_id"] == full
    with world.database.write() as session:
        session.get_one(Backup, found["id"]).deleted = True
        session.get_one(Backup, full).deleted = True
    assert "register that one first" in world.ask("POST", "backups", json=body).text


@pytest.mark.parametrize(
    ("change", "words"),
    [({"strategy": "magic"}, "'magic' backups"), ({"backup_id": "b2"}, "another"), ({"stream": "../x"}, "damaged")],
)
def test_restore_from_what_a_guest_made_up(world: World, change: dict[str, str], words: str) -> None:
    lost = completed(world, world.active())
    location = kept(world, lost, **change)
    with world.database.write() as session:
        session.get_one(Backup, lost).deleted = True
        session.merge(ProjectKey(project_id="p1", sealed=world.keyring.seal("AAAA")))
    source = {"remote_location": location, "local_datastore_version_id": world.version_id, "size": 1}
    answer = world.ask("POST", "backups", json={"backup": {"name": "found", "restore_from": source}})
    assert answer.status_code == 409
    assert words in answer.text


def test_deleting_again_goes_on_with_a_delete_that_was_suspended(world: World) -> None:
    backup_id = completed(world, world.active())
    first = world.ask("DELETE", f"backups/{backup_id}").headers["Link"]
    operation_id = world.posted[-1]
    assert world.ask("POST", f"operations/{operation_id}/suspend").status_code == 202
    with world.database.write() as session:
        session.get_one(Operation, operation_id).state = State.SUSPENDED
    world.posted.clear()
    again = world.ask("DELETE", f"backups/{backup_id}")
    assert (again.status_code, again.headers["Link"]) == (202, first)
    assert world.posted == [operation_id]
    assert world.operation(operation_id).state == State.ACCEPTED


def test_strategies(world: World) -> None:
    instance_id = world.active()
    wanted = {"backup_strategy": {"instance_id": instance_id, "swift_container": "mine", "strategy": "logical"}}
    answer = world.ask("POST", "backup_strategies", json=wanted)
    assert answer.status_code == 202
    assert answer.json["backup_strategy"] == {
        "project_id": "p1",
        "instance_id": instance_id,
        "backend": "swift",
        "swift_container": "mine",
        "strategy": "logical",
    }
    of_project = {"backup_strategy": {"swift_container": "ours"}}
    assert world.ask("POST", "backup_strategies", json=of_project).json["backup_strategy"]["instance_id"] == ""
    assert len(world.ask("GET", "backup_strategies").json["backup_strategies"]) == 2
    assert len(world.ask("GET", f"backup_strategies?instance_id={instance_id}").json["backup_strategies"]) == 1

    made = row(world, completed(world, instance_id))
    assert (made.container, made.strategy) == ("mine", "logical")
    made = row(world, completed(world, instance_id, swift_container="asked", strategy="physical"))
    assert (made.container, made.strategy) == ("asked", "physical")
    assert row(world, completed(world, world.active())).container == "ours"

    assert world.ask("DELETE", f"backup_strategies?instance_id={instance_id}").status_code == 202
    assert world.ask("DELETE", f"backup_strategies?instance_id={instance_id}").status_code == 404
    assert world.ask("DELETE", "backup_strategies").status_code == 202
    assert row(world, completed(world, instance_id)).container == "database_backups"


def test_a_stopped_server_can_not_be_backed_up(world: World) -> None:
    instance_id = world.active()
    with world.database.write() as session:
        session.get_one(Health, instance_id).service_status = "SHUTDOWN"
    answer = back_up(world, instance_id)
    assert (answer.status_code, "is stopped" in answer.text) == (422, True)
    assert (world.count(Backup), world.instance(instance_id).operation_id) == (0, None)


def test_the_same_key_is_the_same_backup(world: World) -> None:
    instance_id = world.active()
    body = {"backup": {"name": "b1", "instance": instance_id}}
    first = world.ask("POST", "backups", json=body, headers={"Idempotency-Key": "k"})
    again = world.ask("POST", "backups", json=body, headers={"Idempotency-Key": "k"})
    assert again.json == first.json
    assert world.count(Backup) == 1

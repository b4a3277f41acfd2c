# SPDX-License-Identifier: Apache-2.0
"""What is told of requests and of how their operations end: Trove's events, field by field."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dbflow.db.models import AuditPeriod, Health, Instance, Notification, Operation, utcnow
from dbflow.db.session import Database
from dbflow.messaging.errors import GuestUnreachable
from dbflow.notifications.endings import tell
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State
from dbflow.status import Task
from tests.unit.api.world import World

MARIADB = "7a4f82cc-10d2-4bc6-aadc-d9aacc2a3cb5"
PASSWORD = "never-in-a-notification"
USER = {"name": "app", "password": PASSWORD, "databases": [{"name": "shop"}]}


@pytest.fixture
def telling(world: World) -> World:
    """An API with notifications."""
    world.services.outbox = Outbox(True, "here", {"mariadb": MARIADB})
    return world


def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """(event type, payload) of all that was told since the last call, in order."""
    with database.write() as session:
        rows = session.scalars(sa.select(Notification).order_by(Notification.id)).all()
        session.execute(sa.delete(Notification))
        for row in rows:
            assert row.publisher_id == f"{json.loads(row.payload).get('server_type', 'taskmanager')}.here"
            assert PASSWORD not in row.payload
    return [(row.event_type, json.loads(row.payload)) for row in rows]


def end(world: World, instance_id: str, state: State = State.SUCCESS, error: str | None = None) -> None:
    """What the conductor tells at the end of the instance's operation, and then does to it."""
    with world.database.write() as session:
        operation = session.get_one(Operation, session.get_one(Instance, instance_id).operation_id)
        arguments = world.keyring.unseal(operation.arguments)
        tell(world.services.outbox, session, operation, arguments, state, error)
    world.finish(instance_id, state)


def base(operation: Operation, server_type: str = "api") -> dict[str, Any]:
    """What every event of a request tells."""
    return {
        "tenant_id": "p1",
        "client_ip": "127.0.0.1",
        "server_ip": "localhost",
        "server_type": server_type,
        "request_id": operation.request_id,
    }


def newest(world: World) -> Operation:
    with world.database.read() as session:
        query = sa.select(Operation).order_by(Operation.created.desc()).limit(1)
        return session.scalars(query).one()


def test_off_nothing_is_written(world: World) -> None:
    instance_id = world.active(databases=[{"name": "shop"}], users=[USER])
    world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}})
    world.ask("POST", f"instances/{instance_id}/users", json={"users": [USER]})
    world.ask("POST", f"instances/{instance_id}/action", "admin", json={"reset_status": {}})
    end(world, instance_id)
    assert told(world.database) == []
    assert newest(world).notice is None
    assert world.count(AuditPeriod) == 0


def test_create(telling: World) -> None:
    instance_id = telling.created(databases=[{"name": "shop"}], users=[USER], availability_zone="nova")
    operation, instance = newest(telling), telling.instance(instance_id)
    start = {
        "name": "db1",
        "flavor_id": "1",
        "datastore": "mariadb",
        "datastore_version": "10.11",
        "image_id": None,
        "availability_zone": "nova",
        "region_name": "RegionOne",
        "volume_size": 1,
    }
    ((event, payload),) = told(telling.database)
    users, databases = payload.pop("users"), payload.pop("databases")
    assert (event, payload) == ("dbaas.instance_create.start", base(operation) | start)
    assert [one["name"] for one in databases] == ["shop"]
    assert [set(user) for user in users] == [{"name", "host", "databases"}]

    with telling.database.write() as session:
        row = session.get_one(Instance, instance_id)
        row.server_id, row.volume_id = "server", "volume"
    end(telling, instance_id)
    created = instance.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    usage, (event, payload) = told(telling.database)
    assert usage == (
        "trove.instance.create",
        {
            "created_at": created,
            "name": "db1",
            "instance_id": instance_id,
            "instance_name": "db1",
            "instance_type_id": "1",
            "instance_type": "small",
            "launched_at": created,
            "nova_instance_id": "server",
            "region": "RegionOne",
            "state": "active",
            "state_description": "active",
            "tenant_id": "p1",
            "user_id": "u1",
            "instance_size": 256,
            "availability_zone": "nova",
            "volume_size": 1,
            "nova_volume_id": "volume",
            "service_id": MARIADB,
        },
    )
    more = {"users": users, "databases": databases, "instance_id": instance_id}
    assert (event, payload) == ("dbaas.instance_create.end", base(operation, "taskmanager") | start | more)


def test_a_create_that_fails(telling: World) -> None:
    instance_id = telling.created()
    told(telling.database)
    error = "step create-server: no room"
    end(telling, instance_id, State.REVERTED, error)
    ((event, payload),) = told(telling.database)
    assert event == "dbaas.instance_create.error"
    assert (payload["message"], payload["exception"]) == (error, [error])
    assert (payload["instance_id"], payload["name"], payload["server_type"]) == (instance_id, "db1", "taskmanager")


@pytest.mark.parametrize(
    ("action", "event", "more"),
    [
        ({"restart": {}}, "instance_restart", {}),
        ({"resize": {"flavorRef": "2"}}, "instance_resize_instance", {"new_flavor_id": "2"}),
        ({"resize": {"volume": {"size": 2}}}, "instance_resize_volume", {"new_size": 2}),
    ],
)
def test_actions(telling: World, action: dict[str, Any], event: str, more: dict[str, Any]) -> None:
    instance_id = telling.active()
    told(telling.database)
    assert telling.ask("POST", f"instances/{instance_id}/action", json=action).status_code == 202
    operation = newest(telling)
    wanted = {"instance_id": instance_id} | more
    assert told(telling.database) == [(f"dbaas.{event}.start", base(operation) | wanted)]
    end(telling, instance_id)
    *usage, ended = told(telling.database)
    assert ended == (f"dbaas.{event}.end", base(operation, "taskmanager") | wanted)
    assert [event for event, _ in usage] == (["trove.instance.modify_flavor"] if "new_flavor_id" in more else [])
    for _, payload in usage:
        changed = {"instance_type_id": "2", "instance_type": "medium", "instance_size": 512, "old_instance_size": 256}
        assert changed.items() <= payload.items()
        assert payload["launched_at"] == payload["modify_at"] >= payload["created_at"]


def test_a_migration(telling: World) -> None:
    instance_id = telling.active()
    told(telling.database)
    path = f"mgmt/instances/{instance_id}/action"
    assert telling.ask("POST", path, "admin", json={"migrate": {"host": "two"}}).status_code == 202
    operation = newest(telling)
    wanted = {"tenant_id": "padmin", "instance_id": instance_id, "host": "two"}
    assert told(telling.database) == [("dbaas.migrate.start", base(operation) | wanted)]
    end(telling, instance_id)
    assert told(telling.database) == [("dbaas.migrate.end", base(operation, "taskmanager") | wanted)]


def test_replicas(telling: World) -> None:
    """One create of several, each of which is used from its end on; then what is done to the set."""
    source = telling.active()
    told(telling.database)
    wanted = {"replica_of": source, "replica_count": 2, "flavorRef": None, "volume": None, "datastore": None}
    first = telling.create(**wanted).json["instance"]["id"]
    ((event, payload),) = told(telling.database)
    assert event == "dbaas.instance_create.start"
    assert {"name": "db1-1", "replica_of": source, "replica_count": 2, "flavor_id": "1"}.items() <= payload.items()
    assert not {"backup_id", "restore_point"} & payload.keys()
    end(telling, first)
    *usage, (ended, payload) = told(telling.database)
    assert (ended, payload["instance_id"]) == ("dbaas.instance_create.end", first)
    assert [event for event, _ in usage] == ["trove.instance.create"] * 2
    assert [one["instance_name"] for _, one in usage] == ["db1-1", "db1-2"]
    with telling.database.write() as session:
        for instance in session.scalars(sa.select(Instance)):
            instance.operation_id, instance.task = None, Task.NONE
            session.merge(Health(instance_id=instance.id, seen=utcnow(), service_status="HEALTHY"))
    telling.ask("POST", f"instances/{first}/action", json={"promote_to_replica_source": {}})
    start = base(newest(telling)) | {"instance_id": first}
    assert told(telling.database) == [("dbaas.instance_promote.start", start)]


def test_delete(telling: World) -> None:
    instance_id = telling.active()
    told(telling.database)
    telling.ask("DELETE", f"instances/{instance_id}")
    telling.ask("DELETE", f"instances/{instance_id}")  # the same delete
    operation, wanted = newest(telling), {"instance_id": instance_id}
    assert told(telling.database) == [("dbaas.instance_delete.start", base(operation) | wanted)]
    end(telling, instance_id)
    (event, payload), ended = told(telling.database)
    assert (event, payload["state"], payload["instance_type"]) == ("trove.instance.delete", "shutdown", "small")
    assert payload["deleted_at"] >= payload["created_at"]
    assert ended == ("dbaas.instance_delete.end", base(operation, "taskmanager") | wanted)


def test_backups(telling: World) -> None:
    instance_id = telling.active()
    told(telling.database)
    body = {"backup": {"name": "b", "instance": instance_id, "description": "d"}}
    backup_id = telling.ask("POST", "backups", json=body).json["backup"]["id"]
    start = {"name": "b", "instance_id": instance_id, "description": "d", "parent_id": None}
    operation = newest(telling)
    assert told(telling.database) == [("dbaas.backup_create.start", base(operation) | start)]
    end(telling, instance_id)
    ended = base(operation, "taskmanager") | start | {"backup_id": backup_id}
    assert told(telling.database) == [("dbaas.backup_create.end", ended)]


def test_reset_status(telling: World) -> None:
    instance_id = telling.active()
    told(telling.database)
    telling.ask("POST", f"instances/{instance_id}/action", "admin", json={"reset_status": {}})
    events = told(telling.database)
    assert [event for event, _ in events] == [f"dbaas.instance_reset_status.{when}" for when in ("start", "end")]
    assert all(payload["instance_id"] == instance_id for _, payload in events)


ACCOUNTS: list[tuple[str, str, Any, str, dict[str, str]]] = [
    ("POST", "databases", {"databases": [{"name": "a"}, {"name": "b"}]}, "database_create", {"dbname": "a,b"}),
    ("POST", "users", {"users": [USER | {"databases": []}]}, "user_create", {"username": "app"}),
    ("PUT", "users/app/databases", {"databases": [{"name": "a"}]}, "user_grant", {"username": "app", "database": "a"}),
    ("DELETE", "users/app/databases/a", None, "user_revoke", {"username": "app", "database": "a"}),
    ("PUT", "users", {"users": [USER]}, "user_change_password", {"username": "app"}),
    ("PUT", "users/app", {"user": {"password": PASSWORD}}, "user_update_attributes", {"username": "app"}),
    ("DELETE", "users/app", None, "user_delete", {"username": "app"}),
    ("DELETE", "databases/a", None, "database_delete", {"dbname": "a"}),
]


def test_accounts(telling: World) -> None:
    instance_id = telling.active()
    told(telling.database)
    for method, path, body, action, more in ACCOUNTS:
        assert telling.ask(method, f"instances/{instance_id}/{path}", json=body).status_code == 202
        (start, payload), (end, _) = told(telling.database)
        assert (start, end) == (f"dbaas.{action}.start", f"dbaas.{action}.end")
        assert ({"instance_id": instance_id} | more).items() <= payload.items()


def test_accounts_that_fail(telling: World) -> None:
    instance_id = telling.active()
    telling.guests.error = GuestUnreachable("silent")
    told(telling.database)
    assert telling.ask("DELETE", f"instances/{instance_id}/databases/a").status_code == 503
    (start, _), (error, payload) = told(telling.database)
    assert (start, error) == ("dbaas.database_delete.start", "dbaas.database_delete.error")
    assert payload["exception"] == [payload["message"]] == [f"The guest of instance {instance_id} did not answer."]


def test_what_can_not_be_told_hinders_nobody(telling: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is away stands for a database that is away for a moment."""
    instance_id = telling.active()

    def away(*_: Any) -> Callable[..., Any]:
        raise sa.exc.OperationalError("", {}, Exception())

    monkeypatch.setattr(Outbox, "put", away)
    assert telling.ask("POST", f"instances/{instance_id}/databases", json=ACCOUNTS[0][2]).status_code == 202


def test_a_refused_request_leaves_nothing_in_the_outbox(telling: World) -> None:
    assert telling.create(volume={"size": 1000}).status_code == 413
    telling.services.conf.set_override("max_instances_per_tenant", 0, "quota")
    assert telling.create().status_code == 413
    assert told(telling.database) == []


def test_configuration_groups(telling: World) -> None:
    """Those without instances are made, changed and deleted at once."""
    wanted = {"name": "busy", "values": {"max_connections": 200}, "datastore": {"type": "mariadb", "version": "10.11"}}
    group = telling.ask("POST", "configurations", json={"configuration": wanted}).json["configuration"]["id"]
    of_group = {"configuration_id": group}
    start, done = told(telling.database)
    fields = {"name": "busy", "datastore": "mariadb", "datastore_version": "10.11"}
    assert (start[0], done[0]) == ("dbaas.configuration_create.start", "dbaas.configuration_create.end")
    assert fields.items() <= start[1].items()
    assert done[1] == start[1] | of_group
    new = {"name": "calm", "values": {"max_connections": 100}}
    assert telling.ask("PATCH", f"configurations/{group}", json={"configuration": new}).status_code == 200
    (event, payload), _ = told(telling.database)
    assert event == "dbaas.configuration_edit.start"
    assert of_group.items() <= payload.items()
    assert telling.ask("PUT", f"configurations/{group}", json={"configuration": new}).status_code == 202
    (event, payload), _ = told(telling.database)
    assert event == "dbaas.configuration_update.start"
    assert (of_group | {"name": "calm", "description": None}).items() <= payload.items()
    assert telling.ask("DELETE", f"configurations/{group}").status_code == 202
    assert [event for event, _ in told(telling.database)] == [
        "dbaas.configuration_delete.start",
        "dbaas.configuration_delete.end",
    ]


def test_groups_on_instances(telling: World) -> None:
    telling.conf.set_override("max_wait", 0.05, "api")
    instance_id = telling.active()
    wanted = {"name": "busy", "values": {"max_connections": 200}, "datastore": {"type": "mariadb", "version": "10.11"}}
    group = telling.ask("POST", "configurations", json={"configuration": wanted}).json["configuration"]["id"]
    told(telling.database)
    telling.ask("PUT", f"instances/{instance_id}", json={"instance": {"configuration": group}})
    end(telling, instance_id)
    (event, payload), (ended, _) = told(telling.database)
    assert (event, ended) == (
        "dbaas.instance_attach_configuration.start",
        "dbaas.instance_attach_configuration.end",
    )
    assert {"instance_id": instance_id, "configuration_id": group}.items() <= payload.items()
    new = {"values": {"max_connections": 100}}
    telling.ask("PATCH", f"configurations/{group}", json={"configuration": new})
    ((event, payload),) = told(telling.database)
    assert (event, payload["configuration_id"]) == ("dbaas.configuration_edit.start", group)

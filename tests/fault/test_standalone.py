# SPDX-License-Identifier: Apache-2.0
"""dbflow-standalone killed or stopped at any moment, and started again on the same directory."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.stack import EmbeddedStack, mysql, new_password, query
from tests.functional.stack.fixtures import after_failure

Stack = EmbeddedStack
# Of a create: right after the 202, side by side with the resources, before there is a server, while the guest
# installs, and near the end.
MOMENTS = [
    None,
    "create-volume.execute.called",
    "create-server.execute.called",
    "guest.install-datastore.execute.before",
    "guest.create-users.execute.after",
]
INSTALLING = "guest.install-datastore.execute.before"


@pytest.fixture
def stack(request: pytest.FixtureRequest, embedded_stack: Stack) -> Iterator[Stack]:
    yield embedded_stack
    after_failure(request, embedded_stack)


def test_killed_during_creates(stack: Stack) -> None:
    """One create a moment; each ends ACTIVE, and what was there before never notices."""
    client, password = stack.client(), new_password()
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    wanted: dict[str, Any] = {"databases": [{"name": "d"}], "users": [user]}
    with stack.nothing_left():
        earlier = client.created("earlier", **wanted)
        instance_ids = [earlier["id"]]
        server, agent = stack.database_server(earlier["id"]), stack.agent(earlier["id"])
        for moment in MOMENTS:
            with stack.faults.holding(moment) if moment else contextlib.nullcontext() as held:
                instance_id, create = client.create(f"killed-at-{moment}", **wanted)
                instance_ids.append(instance_id)
                if held is not None:
                    held.reached()
                stack.process.kill9()
            with mysql(earlier, "u", password, "d") as connection:
                assert query(connection, "SELECT 1") == [(1,)]
            stack.start()
            client.wait_operation(create)
            shown = client.wait_status(instance_id, "ACTIVE")
            mysql(shown, "u", password, "d").close()
        assert (server, agent) == (stack.database_server(earlier["id"]), stack.agent(earlier["id"]))
        # Its agent found the new broker, and answers.
        client.wait_healthy(earlier["id"])
        databases = client.ask("GET", f"/instances/{earlier['id']}/databases")
        assert databases == {"databases": [{"name": "d"}]}
        client.deleted(*instance_ids)


def test_sigterm_in_the_middle(stack: Stack) -> None:
    """It is gone within 5 s, reverts nothing, and goes on at the next start with no step done twice."""
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        with stack.faults.holding(INSTALLING) as held:
            instance_id, create = client.create("stopped", users=[{"name": "u", "password": password}])
            held.reached()
            assert stack.process.stop() < 10.0  # 5 s and what a busy machine adds
        agent = stack.agent(instance_id)
        assert agent is not None
        stack.start()
        ended = client.wait_operation(create)
        assert {step["state"] for step in ended["steps"]} == {"SUCCESS"}
        assert agent == stack.agent(instance_id)
        mysql(client.show(instance_id), "u", password).close()
        client.deleted(instance_id)


def test_killed_during_a_delete(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance_id = client.created("going")["id"]
        with stack.faults.holding("delete-server.execute.called") as held:
            delete = client.delete(instance_id)
            held.reached()
            stack.process.kill9()
        stack.start()
        client.wait_operation(delete)
        client.ask("GET", f"/instances/{instance_id}", status=404)


def test_killed_while_a_create_is_undone(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        with stack.faults.holding("create-server.revert.called") as undoing:
            with stack.faults.holding(INSTALLING) as installing:
                instance_id, create = client.create("undone")
                installing.reached()
                client.do(create, "cancel")
                stack.wait_stopping(create)
            undoing.reached()
            stack.process.kill9()
        stack.start()
        client.wait_operation(create, "REVERTED")
        assert client.show(instance_id)["status"] == "ERROR"
        client.deleted(instance_id)


def test_killed_during_a_resize(stack: Stack) -> None:
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        instance = client.created("resized", users=[{"name": "u", "password": password}])
        with stack.faults.holding("resize-server.execute.called") as held:
            resize = client.act(instance["id"], {"resize": {"flavorRef": "2"}})
            held.reached()
            stack.process.kill9()
        stack.start()
        client.wait_operation(resize)
        shown = client.show(instance["id"])
        assert (shown["status"], shown["flavor"]["id"]) == ("ACTIVE", "2")
        mysql(instance, "u", password).close()
        client.deleted(instance["id"])

# SPDX-License-Identifier: Apache-2.0
"""dbflow-standalone killed or stopped at any moment, and started again on the same directory."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.stack import EmbeddedStack, mysql, new_password, query
from tests.functional.stack.fixtures import after_failure

Stack = EmbeddedStack
# Of a create, by the step that has begun: right after the 202, side by side with the resources, while the guest
# starts, while it installs, and near the end.
MOMENTS = [None, "create-volume", "create-server", "install-datastore", "create-users"]


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
            instance_id, create = client.create(f"killed-at-{moment}", **wanted)
            instance_ids.append(instance_id)
            if moment is not None:
                client.wait_step(create, moment)
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
        instance_id, create = client.create("stopped", users=[{"name": "u", "password": password}])
        client.wait_step(create, "install-datastore")
        assert stack.process.stop() < 5.0
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
        delete = client.delete(instance_id)
        client.wait_step(delete, "delete-server")
        stack.process.kill9()
        stack.start()
        client.wait_operation(delete)
        client.ask("GET", f"/instances/{instance_id}", status=404)


def test_killed_while_a_create_is_undone(stack: Stack) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance_id, create = client.create("undone")
        client.wait_step(create, "install-datastore")
        client.do(create, "cancel")
        client.wait_step(create, "create-server", "REVERTING", "REVERTED")
        stack.process.kill9()
        stack.start()
        client.wait_operation(create, "REVERTED")
        assert client.show(instance_id)["status"] == "ERROR"
        client.deleted(instance_id)


def test_killed_during_a_resize(stack: Stack) -> None:
    client, password = stack.client(), new_password()
    with stack.nothing_left():
        instance = client.created("resized", users=[{"name": "u", "password": password}])
        resize = client.act(instance["id"], {"resize": {"flavorRef": "2"}})
        client.wait_step(resize, "resize-server")
        stack.process.kill9()
        stack.start()
        client.wait_operation(resize)
        shown = client.show(instance["id"])
        assert (shown["status"], shown["flavor"]["id"]) == ("ACTIVE", "2")
        mysql(instance, "u", password).close()
        client.deleted(instance["id"])

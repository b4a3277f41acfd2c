# SPDX-License-Identifier: Apache-2.0
"""From MariaDB 10.11 to 11.8 with all that was there, and back when it does not go well; machines made anew."""

import base64
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.datastores.parameters import of_version
from tests.functional.stack import Client, EmbeddedStack, Stack, mysql, new_password, operation_of, query
from tests.functional.stack.fixtures import after_failure
from tests.functional.stack.rootfs import IMAGE, RELEASE, offer, rootfs
from tests.parameters import QUERY, must_be_right
from tests.waiting import wait_for

OLD = "10.11"


@pytest.fixture(scope="module")
def one_stack(images: pathlib.Path) -> Iterator[Stack]:
    with rootfs() as place, EmbeddedStack(images, {"local_cloud": {"rootfs_dir": place}}) as stack:
        offer(stack)
        yield stack


@pytest.fixture
def stack(request: pytest.FixtureRequest, one_stack: Stack) -> Iterator[Stack]:
    yield one_stack
    after_failure(request, one_stack)


@pytest.fixture(scope="module")
def password() -> str:
    return new_password()


def make(client: Client, password: str) -> str:
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    instance_id: str = client.created("old", databases=[{"name": "d"}], users=[user])["id"]
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        query(connection, "CREATE TABLE t (n INT PRIMARY KEY, filler TEXT)")
        query(connection, "INSERT INTO t SELECT seq, repeat(seq, 20) FROM seq_1_to_500")
    return instance_id


def look(client: Client, instance_id: str, password: str) -> tuple[str, Any]:
    """(the server's release, what is in the table)"""
    with mysql(client.wait_healthy(instance_id), "u", password, "d") as connection:
        ((version,),) = query(connection, "SELECT VERSION()")
        found = query(connection, "SELECT count(*), max(n), md5(group_concat(filler ORDER BY n)) FROM t")
    return version.rpartition(".")[0] if version.count(".") == 2 else ".".join(version.split(".")[:2]), found


def upgrade(client: Client, instance_id: str, version: str = RELEASE) -> str:
    answer = client.raw("PATCH", f"/instances/{instance_id}", {"instance": {"datastore_version": version}})
    assert answer.status_code == 202, answer.text
    return operation_of(answer)


def give(client: Client, instance_id: str, **values: Any) -> None:
    """A configuration group of these; of none: the one that it has is no more."""
    group_id = None
    if values:
        group = {"name": "own", "values": values, "datastore": {"type": "mariadb", "version": RELEASE}}
        group_id = client.ask("POST", "/configurations", {"configuration": group})["configuration"]["id"]
    given = client.ask("GET", f"/instances/{instance_id}")["instance"].get("configuration")
    body = {"instance": {"configuration": group_id}}
    client.wait_operation(operation_of(client.raw("PUT", f"/instances/{instance_id}", body)))
    if given is not None:
        client.ask("DELETE", f"/configurations/{given['id']}")


def apply_module(client: Client, instance_id: str) -> str:
    """Of SQL: its id."""
    script = b"CREATE TABLE IF NOT EXISTS d.of_module (n INT)\n-- undo\nDROP TABLE IF EXISTS d.of_module\n"
    body = {"name": "table", "module_type": "sql", "contents": base64.b64encode(script).decode()}
    module_id: str = client.ask("POST", "/modules", {"module": body})["module"]["id"]
    client.ask("POST", f"/instances/{instance_id}/modules", {"modules": [{"id": module_id}]})
    return module_id


def trusting(client: Client, instance_id: str, directory: pathlib.Path) -> dict[str, Any]:
    """For logging in where the server has a certificate of its project's authority, as it is known now."""
    file = directory / "trusted.pem"
    shown = client.ask("GET", f"/instances/{instance_id}/ssl?include_certificate=True")["ssl"]
    file.write_text(shown["certificate"]["payload"])
    return {"ssl_ca": str(file), "ssl_verify_cert": True, "ssl_verify_identity": True}


def left(stack: Stack, instance_id: str) -> list[str]:
    """Of backup points."""
    data = stack.cloud / "volumes" / instance_id / "data"
    return sorted(path.name for path in data.iterdir() if "point" in path.name or "replaced" in path.name)


def test_everything_comes_along(stack: Stack, password: str, tmp_path: pathlib.Path) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance_id = make(client, password)
        root = client.ask("POST", f"/instances/{instance_id}/root")["user"]["password"]
        module_id, trusted = apply_module(client, instance_id), trusting(client, instance_id, tmp_path)
        release, before = look(client, instance_id, password)
        assert release == OLD

        with stack.faults.holding("guest.upgrade-data.execute.before") as held:
            operation_id = upgrade(client, instance_id)
            held.reached()
            assert client.show(instance_id)["status"] == "UPGRADE"
            assert left(stack, instance_id)
        done = client.wait_operation(operation_id)
        assert done["note"].startswith("A major upgrade, from 10.11.")
        client.wait_status(instance_id, "ACTIVE")

        assert look(client, instance_id, password) == (RELEASE, before)
        shown = client.show(instance_id)["datastore"]
        assert (shown["version"], shown["version_number"]) == (RELEASE, f"{RELEASE}.6")
        assert left(stack, instance_id) == []
        with mysql(client.show(instance_id), "root", root) as connection:
            assert query(connection, "SELECT count(*) FROM d.t") == [(500,)]
            # What users may set there is the new release's list, and right.
            must_be_right(of_version("mariadb", f"{RELEASE}.6"), query(connection, QUERY))
            assert query(connection, "SELECT @@max_connections") != [(77,)]
            give(client, instance_id, max_connections=77)
            assert query(connection, "SELECT @@max_connections") == [(77,)]
            give(client, instance_id)
        assert client.ask("GET", f"/instances/{instance_id}/root")["rootEnabled"] is True
        client.ask("POST", f"/instances/{instance_id}/users", {"users": [{"name": "v", "password": new_password()}]})

        with mysql(client.show(instance_id), "u", password, "d", **trusted) as connection:
            assert query(connection, "SHOW TABLES") == [("of_module",), ("t",)]
            client.ask("DELETE", f"/instances/{instance_id}/modules/{module_id}")
            assert query(connection, "SHOW TABLES") == [("t",)]
        client.ask("DELETE", f"/modules/{module_id}")

        refused = client.raw("PATCH", f"/instances/{instance_id}", {"instance": {"datastore_version": OLD}})
        assert refused.status_code == 400
        assert "no upgrade from 11.8" in refused.text
        client.deleted(instance_id)


def test_a_failure_leaves_the_old_one(stack: Stack, password: str) -> None:
    """In the last step of the guest, when the new server is open to everybody."""
    client = stack.client()
    with stack.nothing_left():
        instance_id = make(client, password)
        before = look(client, instance_id, password)
        stack.faults.arm("guest.open-upgraded.execute.after", "raise")
        client.wait_operation(upgrade(client, instance_id), "REVERTED")
        assert look(client, instance_id, password) == before
        shown = client.show(instance_id)
        assert shown["datastore"]["version"] == OLD
        assert "Upgrading the instance failed" in shown["fault"]["message"]
        assert left(stack, instance_id) == []

        parked = park(stack, instance_id)
        assert left(stack, instance_id)
        restarted = client.raw("POST", f"/instances/{instance_id}/action", {"restart": {}})
        assert restarted.status_code == 202, restarted.text
        refused = client.wait_operation(operation_of(restarted), "FAILED")
        assert "only an upgrade may start them on it" in refused["error"]["message"]
        assert client.raw("POST", f"/operations/{parked}/retry").status_code == 202
        client.wait_operation(parked, "REVERTED")
        assert look(client, instance_id, password) == before
        assert left(stack, instance_id) == []
        client.deleted(instance_id)


def park(stack: Stack, instance_id: str) -> str:
    """An upgrade that breaks off with half of the data upgraded, and whose machine is not there to undo it: an
    administrator has looked at it since."""
    client, admin = stack.client(), stack.admin()
    stopped = stack.cloud / "volumes" / instance_id / "data" / "mariadb" / "stopped"
    aside = stopped.with_name("stopped-aside")
    stack.faults.arm("guest.upgrade-data.execute.within.2", "raise")
    with stack.faults.holding("guest.upgrade-data.revert.before") as held:
        operation_id = upgrade(client, instance_id)
        held.reached()
        stopped.rename(aside)  # so that each try is refused
    client.wait_operation(operation_id, "FAILED")
    aside.rename(stopped)
    answer = admin.raw("POST", f"/mgmt/instances/{instance_id}/action", {"reset-task-status": {}})
    assert answer.status_code == 202, answer.text
    return operation_id


def test_what_was_written_is_not_given_up(stack: Stack, password: str) -> None:
    """A failure after somebody wrote to the new version does not bring the old one back, which has none of that; nor
    when the new server has died by then."""
    client = stack.client()
    instance_id = make(client, password)
    stack.faults.arm("guest.open-upgraded.execute.after", "raise")
    with stack.faults.holding("guest.open-upgraded.revert.before") as held:
        operation_id = upgrade(client, instance_id)
        held.reached()
        with mysql(client.show(instance_id), "u", password, "d") as connection:
            query(connection, "INSERT INTO t VALUES (501, 'new')")
        server = stack.database_server(instance_id)
        assert server is not None
        server.kill()
        server.wait(20)
    failed = client.wait_operation(operation_id, "FAILED")
    assert "It was written to after it was upgraded" in failed["error"]["message"]
    client.wait_status(instance_id, "ACTIVE")
    shown = client.show(instance_id)
    assert shown["datastore"]["version"] == RELEASE
    assert "It was written to after it was upgraded" in shown["fault"]["message"]
    with mysql(client.wait_healthy(instance_id), "u", password, "d") as connection:
        assert query(connection, "SELECT filler FROM t WHERE n = 501") == [("new",)]
    assert left(stack, instance_id) == []
    assert client.raw("POST", f"/operations/{operation_id}/retry").status_code == 409
    client.deleted(instance_id)


def test_a_machine_made_anew(stack: Stack, password: str, tmp_path: pathlib.Path) -> None:
    client, admin = stack.client(), stack.admin()
    with stack.nothing_left():
        instance_id = make(client, password)
        before, trusted = look(client, instance_id, password), trusting(client, instance_id, tmp_path)
        agent = stack.agent(instance_id)

        def rebuild(image: str) -> str:
            path, body = f"/mgmt/instances/{instance_id}/action", {"rebuild": {"image_id": image}}
            answer = admin.raw("POST", path, body)
            assert answer.status_code == 202, answer.text
            return operation_of(answer)

        client.wait_operation(rebuild("own"))
        assert look(client, instance_id, password) == before
        wait_for(lambda: stack.agent(instance_id) not in (None, agent), 20, "another agent")
        mysql(client.show(instance_id), "u", password, **trusted).close()

        # Another release's programs must not touch the data: no upgrade was asked for, and nothing could go back.
        failed = client.wait_operation(rebuild(IMAGE), "REVERTED")
        assert "The image has MariaDB 11.8, and not 10.11" in failed["error"]["message"]
        assert look(client, instance_id, password) == before
        client.deleted(instance_id)

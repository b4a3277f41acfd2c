# SPDX-License-Identifier: Apache-2.0
"""Backups and restores through the API, with real servers, and what stands in their way."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.stack import Client, EmbeddedStack, RealStack, Stack, mysql, new_password, query
from tests.functional.stack.client import PATIENCE
from tests.waiting import wait_for

HELD = "guest.stream.send"
"""Where the process that sends a backup is about to begin."""


@pytest.fixture(scope="module")
def password() -> str:
    return new_password()


def make(client: Client, password: str, name: str = "source") -> str:
    """An instance with a user and a row."""
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    instance = client.created(name, databases=[{"name": "d"}], users=[user])
    with mysql(instance, "u", password, "d") as connection:
        query(connection, "CREATE TABLE t (n INT PRIMARY KEY, filler TEXT)")
    add(client, instance["id"], password, 1)
    instance_id: str = instance["id"]
    return instance_id


def add(client: Client, instance_id: str, password: str, number: int) -> None:
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        query(connection, f"INSERT INTO t SELECT {number} * 1000 + seq, repeat(uuid(), 20) FROM seq_1_to_500")


def checksum(client: Client, instance_id: str, password: str) -> Any:
    with mysql(client.show(instance_id), "u", password, "d") as connection:
        return query(connection, "SELECT count(*), max(n) FROM t"), query(connection, "CHECKSUM TABLE t EXTENDED")


def restored(client: Client, backup_id: str, name: str = "restored") -> str:
    instance_id: str = client.created(name, restorePoint={"backupRef": backup_id})["id"]
    client.wait_healthy(instance_id)
    return instance_id


def test_a_chain(stack: Stack, password: str) -> None:
    client = stack.client()
    with stack.nothing_left():
        source = make(client, password)
        root = client.ask("POST", f"/instances/{source}/root")["user"]["password"]
        full, operation = client.back_up(source, "full")
        client.wait_operation(operation)
        shown = client.wait_backup(full)
        assert shown["size"] > 0
        assert shown["locationRef"].endswith(f"/{full}/manifest.json")
        assert client.show(source)["status"] == "ACTIVE"
        at_full = checksum(client, source, password)

        add(client, source, password, 2)
        child, operation = client.back_up(source, "child", incremental=1)
        client.wait_operation(operation)
        assert client.wait_backup(child)["parent_id"] == full
        at_child = checksum(client, source, password)
        add(client, source, password, 3)
        client.deleted(source)
        assert {one["id"] for one in client.ask("GET", f"/instances/{source}/backups")["backups"]} == {full, child}

        for backup_id, wanted in ((child, at_child), (full, at_full)):
            instance_id = restored(client, backup_id)
            assert checksum(client, instance_id, password) == wanted
            assert client.ask("GET", f"/instances/{instance_id}/root") == {"rootEnabled": True}
            with mysql(client.show(instance_id), "root", root) as connection:
                assert query(connection, "SELECT 1") == [(1,)]
            client.ask("DELETE", f"/instances/{instance_id}/root", status=204)
            client.deleted(instance_id)
        client.delete_backup(full)
        client.ask("GET", f"/backups/{child}", status=404)


@pytest.fixture(scope="module")
def source(embedded_stack: EmbeddedStack, password: str) -> Iterator[str]:
    """An instance that the tests leave as it is."""
    client = embedded_stack.client()
    made = make(client, password)
    yield made
    client.deleted(made)


def test_a_dump(embedded_stack: EmbeddedStack, source: str, password: str) -> None:
    client = embedded_stack.client()
    wanted = checksum(client, source, password)
    with embedded_stack.nothing_left():
        dump, operation = client.back_up(source, strategy="logical")
        client.wait_operation(operation)
        instance_id = restored(client, dump)
        assert checksum(client, instance_id, password) == wanted
        client.delete_backup(dump)
        client.deleted(instance_id)


def test_databases_are_made_while_a_backup_runs(embedded_stack: EmbeddedStack, source: str) -> None:
    client = embedded_stack.client()
    with embedded_stack.faults.holding(HELD) as held:
        backup_id, operation = client.back_up(source)
        held.reached()
        assert client.show(source)["status"] == "BACKUP"
        client.ask("POST", f"/instances/{source}/databases", {"databases": [{"name": "meanwhile"}]}, status=202)
        names = [one["name"] for one in client.ask("GET", f"/instances/{source}/databases")["databases"]]
        assert "meanwhile" in names
        held.let_go()
        client.wait_operation(operation)
    client.delete_backup(backup_id)


def test_a_stream_that_dies_is_begun_anew(embedded_stack: EmbeddedStack, source: str, password: str) -> None:
    client = embedded_stack.client()
    embedded_stack.faults.arm(HELD, "kill")
    backup_id, operation = client.back_up(source)
    client.wait_operation(operation)
    assert embedded_stack.faults.fired(HELD)
    instance_id = restored(client, backup_id, "of-the-second-stream")
    assert checksum(client, instance_id, password) == checksum(client, source, password)
    client.deleted(instance_id)
    client.delete_backup(backup_id)


def test_a_backup_that_fails_leaves_nothing(embedded_stack: EmbeddedStack, source: str) -> None:
    client = embedded_stack.client()
    embedded_stack.faults.arm(HELD, "raise")
    backup_id, operation = client.back_up(source)
    ended = client.wait_operation(operation, "REVERTED")
    assert "The stream broke off" in ended["error"]["message"]
    assert client.wait_backup(backup_id, "FAILED")["locationRef"] is None
    shown = client.show(source)
    assert (shown["status"], "fault" in shown) == ("ACTIVE", False)
    assert not [one for one in embedded_stack.inventory()["objects"] if backup_id in one]
    client.delete_backup(backup_id)


def test_deleting_the_instance_breaks_the_backup_off(embedded_stack: EmbeddedStack, password: str) -> None:
    client = embedded_stack.client()
    source = make(client, password, "short-lived")
    with embedded_stack.faults.holding(HELD) as held:
        backup_id, operation = client.back_up(source)
        held.reached()
        client.deleted(source)
        client.wait_operation(operation, "REVERTED")
    client.wait_backup(backup_id, "FAILED")
    client.delete_backup(backup_id)


@pytest.fixture(scope="module")
def backup(embedded_stack: EmbeddedStack, source: str) -> Iterator[str]:
    client = embedded_stack.client()
    backup_id, operation = client.back_up(source)
    client.wait_operation(operation)
    yield backup_id
    client.delete_backup(backup_id)


def test_what_is_being_restored_is_not_deleted(embedded_stack: EmbeddedStack, backup: str) -> None:
    client = embedded_stack.client()
    with embedded_stack.faults.holding("restore-backup.execute.begun") as held:
        instance_id, operation = client.create("restored", restorePoint={"backupRef": backup})
        held.reached()
        client.ask("DELETE", f"/backups/{backup}", status=422)
        held.let_go()
        client.wait_operation(operation)
    client.deleted(instance_id)


@contextlib.contextmanager
def damaged(file: pathlib.Path) -> Iterator[None]:
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    yield
    file.write_bytes(data)


def test_a_damaged_segment(embedded_stack: EmbeddedStack, backup: str) -> None:
    client = embedded_stack.client()
    (segment, *_) = sorted(embedded_stack.objects.glob(f"*/*/{backup}/*/*"))
    with damaged(segment), embedded_stack.nothing_left_but_rows():
        instance_id, operation = client.create("restored", restorePoint={"backupRef": backup})
        client.wait_operation(operation, "REVERTED")
        shown = client.show(instance_id)
        assert shown["status"] == "ERROR"
        assert f"Backup {backup} is damaged: Segment 1 of" in shown["fault"]["message"]
    client.deleted(instance_id)


def test_a_restore_that_is_deleted_in_the_middle(embedded_stack: EmbeddedStack, backup: str) -> None:
    client = embedded_stack.client()
    with embedded_stack.nothing_left(), embedded_stack.faults.holding("guest.stream.receive") as held:
        instance_id, operation = client.create("restored", restorePoint={"backupRef": backup})
        held.reached()
        client.deleted(instance_id)
        client.wait_operation(operation, "REVERTED")


SENDING, RECEIVING = "guest.stream.put.1", "guest.stream.get.1"
"""In the middle: the first segment has been sent, or read."""


def strike(stack: RealStack, instance_id: str, operation: str) -> None:
    """Agent and conductor die; there is another agent, and another conductor has the operation."""
    agent = stack.agent(instance_id)
    assert agent is not None
    conductor = stack.admin().operation(operation)["conductor"]
    agent.kill()
    stack.kill_runner(operation)
    wait_for(lambda: stack.agent(instance_id) not in (None, agent), PATIENCE, "another agent")
    wait_for(lambda: stack.admin().operation(operation)["conductor"] != conductor, PATIENCE, "another conductor")


def test_all_die_in_the_middle_of_a_stream(real_stack: RealStack, password: str) -> None:
    """It goes on with the segment that it was at; so does it when the store comes back."""
    client = real_stack.client()
    with real_stack.nothing_left():
        source = make(client, password)
        with mysql(client.show(source), "u", password, "d") as connection:
            query(connection, "CREATE TABLE large (b BLOB)")
            query(connection, "INSERT INTO large SELECT random_bytes(1024) FROM seq_1_to_20000")
        wanted = checksum(client, source, password)
        real_stack.faults.record()
        with real_stack.faults.holding(SENDING) as held:
            backup_id, operation = client.back_up(source)
            held.reached()
            (first,) = real_stack.objects.glob(f"*/*/{backup_id}/*/00000000")
            written = first.stat().st_mtime_ns
            strike(real_stack, source, operation)
            real_stack.object_server.kill9()
            held.let_go()
            log = real_stack.stream_log(source, backup_id)
            wait_for(lambda: "Retrying" in log.read_text(), PATIENCE, "a stream that tries again")
        real_stack.start()
        client.wait_operation(operation)
        client.wait_backup(backup_id)
        assert first.stat().st_mtime_ns == written
        sent = [one for one in real_stack.faults.passed() if one.startswith("guest.stream.")]
        assert sent == ["guest.stream.send", *(f"guest.stream.put.{number}" for number in range(len(sent) - 1))]

        real_stack.faults.record()
        with real_stack.faults.holding(RECEIVING) as held:
            restored_id, operation = client.create("restored", restorePoint={"backupRef": backup_id})
            held.reached()
            strike(real_stack, restored_id, operation)
            held.let_go()
            client.wait_operation(operation)
        client.wait_healthy(restored_id)
        assert checksum(client, restored_id, password) == wanted
        read = [one for one in real_stack.faults.passed() if one.startswith("guest.stream.get.")]
        assert read == [f"guest.stream.get.{number}" for number in range(len(sent) - 2)]
        client.delete_backup(backup_id)
        client.deleted(source, restored_id)

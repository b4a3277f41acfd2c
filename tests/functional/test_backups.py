# SPDX-License-Identifier: Apache-2.0
"""Backups and restores through the API, with real servers, and what stands in their way."""

import contextlib
import pathlib
from collections.abc import Iterator

import pytest

from tests.functional.sources import add, checksum, make, restored
from tests.functional.stack import EmbeddedStack, Stack, mysql, new_password, query

HELD = "guest.stream.send"
"""Where the process that sends a backup is about to begin."""


@pytest.fixture(scope="module")
def password() -> str:
    return new_password()


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

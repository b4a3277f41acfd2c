# SPDX-License-Identifier: Apache-2.0
"""An object store that fails in the middle of a backup and of a restore, and what is in it without a row: a real Swift,
with something in front of it that misbehaves."""

import contextlib
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.db.models import Backup
from tests.functional.sources import add, backed_up, checksum, make, restored
from tests.functional.stack import Client, new_password
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.swift import CONTAINER, SwiftStack
from tests.objects.front import Front
from tests.objects.moody import CUT, STILL, WELL, Moods
from tests.servers import Swift
from tests.waiting import wait_for

STORE_PATIENCE = 5.0
SETTINGS = {"backups": {"segment_size": 1, "store_patience": STORE_PATIENCE}}
LARGE = 8_000
"""KiB: more than a guest has in its hands."""
SENT, READ = [WELL], [WELL] * 3
"""In the middle: there is a segment in the store; manifest, end and a segment have been read."""


@pytest.fixture(scope="module")
def front(swift: Swift) -> Iterator[Front]:
    with Front(swift.port) as made:
        yield made


@pytest.fixture(scope="module")
def stack(images: pathlib.Path, swift: Swift, front: Front) -> Iterator[SwiftStack]:
    with SwiftStack(images, swift, front, SETTINGS) as made:
        yield made


@pytest.fixture(scope="module")
def client(stack: SwiftStack) -> Client:
    return stack.client()


@pytest.fixture(scope="module")
def password() -> str:
    return new_password()


@pytest.fixture(scope="module")
def source(client: Client, password: str) -> str:
    return make(client, password, large=LARGE)


@pytest.fixture(scope="module")
def backup(client: Client, source: str, password: str) -> tuple[str, object]:
    """(its id, checksum of what is in it)."""
    return backed_up(client, source), checksum(client, source, password)


@pytest.fixture(autouse=True)
def _mended(front: Front) -> Iterator[None]:
    yield
    front.forget()


@pytest.mark.parametrize(
    ("number", "mood", "words"),
    [
        (2, 507, "The object store does not work: it is full."),
        (3, 403, "The object store refuses (403): the right to object"),
        (4, 503, "The object store does not work: it answers 503."),
        (5, STILL, "The object store does not work: no answer (ReadTimeoutError)."),
    ],
    ids=["full", "forbidden", "failing", "still"],
)
def test_it_fails_in_the_middle(
    stack: SwiftStack,
    client: Client,
    front: Front,
    source: str,
    password: str,
    backup: tuple[str, object],
    number: int,
    mood: int,
    words: str,
) -> None:
    """Of a backup, and at the same time of a restore; it does not let objects be removed at once, either."""
    always = [mood] * 1000
    front.moods = {"PUT": Moods([*SENT, *always]), "GET": Moods([*READ, *always]), "DELETE": Moods([503, 403])}
    with stack.nothing_left():
        with stack.nothing_left_but_rows():
            backup_id, backing = client.back_up(source)
            instance_id, restoring = client.create("restored", restorePoint={"backupRef": backup[0]})
            ended = client.wait_operation(backing, "REVERTED")
            assert words in ended["error"]["message"]
            assert client.wait_backup(backup_id, "FAILED")["locationRef"] is None
            assert stack.objects_of(backup_id) == []
            assert front.moods["PUT"].met[mood] > 0
            assert front.moods["DELETE"].met == {503: 1, 403: 1, WELL: front.moods["PUT"].met[WELL] + 1}
            assert "fault" not in client.wait_healthy(source)
            add(client, source, password, number)
            client.delete_backup(backup_id)

            client.wait_operation(restoring, "REVERTED")
            shown = client.show(instance_id)
            assert shown["status"] == "ERROR"
            assert words in shown["fault"]["message"]
            assert front.moods["GET"].met[mood] > 0
        client.deleted(instance_id)


def _woken(*stores: Moods) -> bool:
    """Whether all that were still are so no longer."""
    for moods in stores:
        if moods.met[STILL]:
            moods.over.set()
    return all(moods.over.is_set() for moods in stores)


def test_it_comes_back(
    stack: SwiftStack, client: Client, front: Front, source: str, password: str, backup: tuple[str, object]
) -> None:
    """In time. A backup that could not be restored before can be."""
    wanted = checksum(client, source, password)
    passing = [503, CUT, WELL, 507, STILL, WELL, 429]
    front.moods = {"PUT": Moods([*SENT, *passing]), "GET": Moods([*READ, *passing])}
    with stack.nothing_left():
        backup_id, backing = client.back_up(source)
        first, restoring = client.create("restored", restorePoint={"backupRef": backup[0]})
        wait_for(lambda: _woken(front.moods["PUT"], front.moods["GET"]), PATIENCE, "a store that is still")
        client.wait_operation(backing)
        client.wait_operation(restoring)
        client.wait_healthy(first)
        assert checksum(client, first, password) == backup[1]
        assert all(moods.met[mood] for moods in (front.moods["PUT"], front.moods["GET"]) for mood in passing)
        second = restored(client, backup_id)
        assert checksum(client, second, password) == wanted
        client.delete_backup(backup_id)
        client.deleted(first, second)


def lose(stack: SwiftStack, backup_id: str) -> None:
    """As if another dbflow had made the backup."""
    with contextlib.closing(stack.database()) as database, database.write() as session:
        session.delete(session.get_one(Backup, backup_id))


def found(client: Client, lost: dict[str, Any]) -> str:
    """Register a backup that was lost: its new id."""
    where = {"remote_location": lost["locationRef"], "local_datastore_version_id": lost["datastore"]["version_id"]}
    body = {"backup": {"name": "found", "restore_from": {**where, "size": 1}}}
    backup_id: str = client.ask("POST", "/backups", body, status=202)["backup"]["id"]
    return backup_id


def test_nobody_knows_what_is_in_it(stack: SwiftStack, client: Client, source: str, password: str) -> None:
    """A full backup and the difference to it are registered, and restored."""
    with stack.nothing_left():
        full = client.wait_backup(backed_up(client, source, "full"))
        add(client, source, password, 9)
        child = client.wait_backup(backed_up(client, source, "child", incremental=1))
        assert child["parent_id"] == full["id"]
        wanted = checksum(client, source, password)
        for one in (child, full):
            lose(stack, one["id"])
            client.ask("GET", f"/backups/{one['id']}", status=404)
        there = {one["id"]: stack.objects_of(one["id"]) for one in (full, child)}

        first, second = found(client, full), found(client, child)
        assert client.ask("GET", f"/backups/{second}")["backup"]["parent_id"] == first
        instance_id = restored(client, second)
        assert checksum(client, instance_id, password) == wanted
        client.deleted(instance_id)
        client.delete_backup(first)
        client.ask("GET", f"/backups/{second}", status=404)
        # They are not its own to remove.
        assert {one: stack.objects_of(one) for one in there} == there
        for name in itertools.chain(*there.values()):
            stack.store.delete(CONTAINER, name)

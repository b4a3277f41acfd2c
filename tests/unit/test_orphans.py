# SPDX-License-Identifier: Apache-2.0
"""What counts as an orphan, when it is reported, and what is removed."""

import datetime
import pathlib
from collections.abc import Iterator
from typing import Any, cast

import pytest

from dbflow.cloud.base import Cloud
from dbflow.db.models import Backup, Instance, Operation, utcnow
from dbflow.db.session import Database
from dbflow.leftovers import Leftovers
from dbflow.objectstore.file import FileStore
from dbflow.operations import State
from dbflow.orphans import MESSAGES, OBJECTS, Found, Orphanage, OrphanBook
from dbflow.persistence import tables  # noqa: F401 - registers the flow tables
from tests.objects.vault import CONTAINER, vault
from tests.unit.rows import with_version
from tests.waiting import wait_for

KINDS = ("messages", "port", "server", "volume")


class Places:
    """A cloud and a broker made of sets."""

    def __init__(self) -> None:
        self.things: set[Found] = set()
        self.looks = 0
        self.meanwhile: Any = lambda: None

    def add(self, instance_id: str, *kinds: str) -> None:
        self.things |= {Found(kind, instance_id) for kind in kinds or KINDS}

    def owned(self) -> dict[str, set[str]]:
        self.looks += 1
        if self.looks == 2:
            self.meanwhile()
        return {kind: self._of(kind) for kind in ("server", "volume", "port")}

    def guests(self) -> set[str]:
        return self._of(MESSAGES)

    def _of(self, kind: str) -> set[str]:
        return {one.instance_id for one in self.things if one.kind == kind}

    def remove(self, kind: str, instance_id: str) -> None:
        self.things.discard(Found(kind, instance_id))

    def delete_guest(self, instance_id: str) -> None:
        self.remove(MESSAGES, instance_id)


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    made = with_version(tmp_path)
    yield made
    made.close()


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def objects(tmp_path: pathlib.Path) -> Iterator[FileStore]:
    with vault(tmp_path / "objects") as made:
        yield made.store


@pytest.fixture
def orphanage(database: Database, places: Places, objects: FileStore) -> Orphanage:
    return Orphanage(database, cast(Cloud, places), places, Leftovers(database, objects, 100_000))


def instance(database: Database, instance_id: str, **columns: Any) -> None:
    with database.write() as session:
        row = {"name": "i", "project_id": "p", "user_id": "u", "datastore_version_id": "v", "flavor_id": "1"}
        session.add(Instance(id=instance_id, **row, **columns))


def parked(database: Database, instance_id: str) -> None:
    with database.write() as session:
        who = {"target_type": "instance", "target_id": instance_id, "project_id": "p", "user_id": "u"}
        session.add(Operation(kind="instance.create", version=1, arguments="", state=State.FAILED, **who))


def test_what_has_no_row_or_a_deleted_one(database: Database, places: Places, orphanage: Orphanage) -> None:
    instance(database, "gone", deleted=True, server_id="s", volume_id="v", port_id="p", guest_key="k")
    places.add("gone")
    places.add("never")
    assert orphanage.find() == sorted(Found(kind, name) for kind in KINDS for name in ("gone", "never"))


def test_what_a_live_row_refers_to_is_needed_and_all_else_of_it_is_not(
    database: Database, places: Places, orphanage: Orphanage
) -> None:
    instance(database, "works", server_id="s", port_id="p", guest_key="k")
    places.add("works")
    assert orphanage.find() == [Found("volume", "works")]


def test_an_operation_may_be_making_anything(database: Database, places: Places, orphanage: Orphanage) -> None:
    instance(database, "built", operation_id="o")
    places.add("built")
    assert orphanage.find() == []


def test_what_a_parked_operation_left_is_named_there(database: Database, places: Places, orphanage: Orphanage) -> None:
    instance(database, "parked")
    parked(database, "parked")
    places.add("parked")
    assert orphanage.find() == []


def test_what_comes_or_goes_meanwhile_is_none(database: Database, places: Places, orphanage: Orphanage) -> None:
    places.add("goes")

    def meanwhile() -> None:
        places.things.clear()
        places.add("comes")

    places.meanwhile = meanwhile
    assert orphanage.find() == []
    assert places.looks == 2


def test_removed_only_while_nobody_needs_it(database: Database, places: Places, orphanage: Orphanage) -> None:
    places.add("one")
    places.add("other")
    for kind in KINDS:
        assert orphanage.remove(Found(kind, "one"))
    instance(database, "other", operation_id="o")
    assert not orphanage.remove(Found("server", "other"))
    assert places.things == {Found(kind, "other") for kind in KINDS}


def test_more_than_fit_in_one_question(database: Database, places: Places, orphanage: Orphanage) -> None:
    instance(database, "00700", server_id="s")
    for number in range(1200):
        places.add(f"{number:05}", "server")
    assert len(orphanage.find()) == 1199


def test_reported_when_seen_again_after_the_grace(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    one, book, strict = Found("server", "i"), OrphanBook(database, 0.0), OrphanBook(database, 3600)
    assert book.write([one]) == 0
    assert book.reported() == []
    assert wait_for(lambda: book.write([one]), 5, "it to be reported") == 1
    assert [(row.kind, row.instance_id) for row in book.reported()] == [("server", "i")]
    assert strict.reported() == []
    assert book.write([one]) == 1
    assert caplog.text.count("an orphan: server of instance i") == 1
    book.forget(one)
    assert book.reported() == []


def test_what_is_gone_begins_anew(database: Database) -> None:
    one, book = Found("server", "i"), OrphanBook(database, 0.0)
    wait_for(lambda: book.write([one]), 5, "it to be reported")
    assert book.write([]) == 0
    assert book.write([one]) == 0


def backup(database: Database, objects: FileStore, backup_id: str, **columns: Any) -> None:
    """With an object in the store."""
    values = {"deleted": True, "deleted_at": utcnow(), "prefix": f"p/{backup_id}/", **columns}
    with database.write() as session:
        session.add(
            Backup(
                id=backup_id,
                name="b",
                project_id="p",
                user_id="u",
                strategy="physical",
                datastore_version_id="v",
                container=CONTAINER,
                **values,
            )
        )
    path = objects._directory.file(CONTAINER, f"{values['prefix']}s/{backup_id}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"late")


def test_objects_of_deleted_backups(database: Database, orphanage: Orphanage, objects: FileStore) -> None:
    backup(database, objects, "late")
    backup(database, objects, "there", deleted=False, deleted_at=None)
    backup(database, objects, "registered", registered=True)
    backup(database, objects, "old", deleted_at=utcnow() - datetime.timedelta(days=30))
    backup(database, objects, "shared")
    backup(database, objects, "again", prefix="p/shared/", deleted=False, deleted_at=None, registered=True)
    (objects._directory.container(CONTAINER) / "of-another-dbflow").write_bytes(b"x")
    late = Found(OBJECTS, "late")
    assert orphanage.find() == [late]
    assert orphanage.remove(late)
    assert orphanage.find() == []
    assert not orphanage.remove(Found(OBJECTS, "there"))
    assert len(list(objects.sizes(CONTAINER, ""))) == 6

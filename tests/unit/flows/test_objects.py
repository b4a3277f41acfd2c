# SPDX-License-Identifier: Apache-2.0
"""What the conductor does with the objects of backups."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.backupmanifest import NAME, Manifest, Segment, digest
from dbflow.db.models import Backup
from dbflow.objectstore.base import StoreUnavailable
from flows.tasks.objects import DeleteSegments, KeepBackup, OpenUpload, remove_segments
from tests.objects.vault import CONTAINER, Vault, vault

PREFIX, OTHER = "p1/b1/", "p2/b2/"


@pytest.mark.parametrize("task", [OpenUpload, KeepBackup, DeleteSegments])
def test_a_store_that_is_away_is_waited_for(task: Any) -> None:
    """As long as guests wait: hours of a stream must not be in vain since the store is away at its end."""
    for tries in (task().executing(), task().reverting()):
        waited = 0.0
        while (pause := tries.pause_after(StoreUnavailable("no answer"))) is not None:
            waited += pause
        assert waited > 400


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[Vault]:
    with vault(tmp_path) as made:
        yield made


def put(store: Vault, name: str, data: bytes = b"x") -> None:
    path = store.directory / CONTAINER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def manifest(stream: str, segments: int) -> bytes:
    made = Manifest(
        backup_id="b1",
        project_id="p1",
        parent_id=None,
        datastore="mariadb",
        datastore_version="10.11",
        strategy="physical",
        stream=stream,
        segments=(Segment(1, "0" * 64),) * segments,
        stream_size=1,
        data_size=0.1,
        position={},
        created="",
    )
    return made.to_bytes()


def left(store: Vault) -> set[str]:
    return {name for name, _ in store.store.sizes(CONTAINER, "")}


def test_what_a_listing_does_not_have_yet_goes_too(store: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    data = manifest("s1", 3)
    put(store, f"{PREFIX}{NAME}", data)
    for name in (*(f"{PREFIX}s1/{number:08d}" for number in range(3)), f"{PREFIX}broken/00000000", f"{OTHER}s/0"):
        put(store, name)
    backup = Backup(id="b1", container=CONTAINER, prefix=PREFIX, checksum=digest(data))
    listed = list(store.store.sizes(CONTAINER, PREFIX))
    behind = [one for one in listed if not one[0].endswith("1")]
    monkeypatch.setattr(store.store, "sizes", lambda container, prefix: iter(behind))
    remove_segments(store.store, backup)
    monkeypatch.undo()
    assert left(store) == {f"{PREFIX}{NAME}", f"{OTHER}s/0"}


@pytest.mark.parametrize(
    "data", [b"", manifest("s1", 1).replace(b'"s1"', b'"../../p2/b2"'), b"x" * (9 << 20)], ids=["empty", "way", "large"]
)
def test_a_manifest_that_a_guest_made_up_is_in_nobodys_way(store: Vault, data: bytes) -> None:
    put(store, f"{PREFIX}{NAME}", data)
    put(store, f"{PREFIX}s1/00000000")
    put(store, f"{OTHER}00000000")
    backup = Backup(id="b1", container=CONTAINER, prefix=PREFIX, checksum=digest(data))
    remove_segments(store.store, backup)
    assert left(store) == {f"{PREFIX}{NAME}", f"{OTHER}00000000"}

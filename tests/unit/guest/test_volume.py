# SPDX-License-Identifier: Apache-2.0
"""How full a volume is, and what lets its file system grow."""

import pathlib
import shutil
import subprocess
from typing import Any

import pytest

from guest import volume
from guest.datastores.base import Datastore, DatastoreError, Machine
from guest.tasks import volume as tasks


class Plain(Datastore):
    """A machine without an engine."""

    default_port = 1


def _grow(path: pathlib.Path) -> None:
    task = tasks.GrowFilesystem()
    task.bind(Plain(Machine("i", "127.0.0.1", 1, path, path, path, None)))
    task.execute("i", 5)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; each succeeds."""
    seen: list[list[str]] = []

    def run(arguments: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        seen.append(arguments)
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name, path: f"/sbin/{name}")
    return seen


def test_directory_counts_what_is_allocated(tmp_path: pathlib.Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * 2**20)
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(2**30)
    (tmp_path / "link").symlink_to("/")
    usage = volume.Volume(tmp_path).usage()
    assert 2**20 / volume.GIB <= usage.used < 2**22 / volume.GIB
    assert usage.total is None


def test_count_is_kept_for_a_while(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = volume.Volume(tmp_path)
    before = one.usage().used
    (tmp_path / "file").write_bytes(b"x" * 2**20)
    assert one.usage().used == before
    monkeypatch.setattr(volume, "COUNT_AGAIN_AFTER", -1.0)
    assert one.usage().used > before


def test_volume_that_is_not_there_is_empty(tmp_path: pathlib.Path) -> None:
    assert volume.Volume(tmp_path / "none").usage() == volume.Usage(0.0, None)


def test_mount_point_asks_the_file_system() -> None:
    usage = volume.Volume(pathlib.Path("/")).usage()
    assert usage.total is not None
    assert 0 < usage.used <= usage.total


def test_directory_needs_no_growing(tmp_path: pathlib.Path, ran: list[list[str]]) -> None:
    _grow(tmp_path)
    assert ran == []


@pytest.mark.parametrize(
    ("file_system", "command"),
    [("ext4", ["/sbin/resize2fs", "/dev/gone"]), ("xfs", ["/sbin/xfs_growfs", "{path}"])],
)
def test_block_devices(
    tmp_path: pathlib.Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, file_system: str, command: list[str]
) -> None:
    monkeypatch.setattr(tasks, "_mount", lambda path: ("/dev/gone", file_system))
    _grow(tmp_path)
    assert ran == [[word.format(path=tmp_path) for word in command]]


def test_file_system_that_can_not_grow(
    tmp_path: pathlib.Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_mount", lambda path: ("/dev/gone", "vfat"))
    with pytest.raises(DatastoreError, match="vfat"):
        _grow(tmp_path)


def test_root_is_found_among_the_mounts() -> None:
    found = tasks._mount(pathlib.Path("/"))
    assert found is not None
    assert found[1]

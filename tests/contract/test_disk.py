# SPDX-License-Identifier: Apache-2.0
"""Data volumes that are block devices: real ones, made of files."""

import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator

import pytest

from guest import disk
from guest.datastores.base import Datastore, Machine
from guest.tasks.volume import GrowFilesystem
from guest.volume import Volume

MIB = 1 << 20
SIZE, LARGER = 320 * MIB, 400 * MIB
"""mkfs.xfs makes nothing smaller than 300 MiB."""


class Device:
    """A loop device of a sparse file."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.file = directory / "volume"
        self.extend(SIZE)
        made = subprocess.run(["losetup", "-f", "--show", str(self.file)], capture_output=True, text=True, check=True)
        self.path = pathlib.Path(made.stdout.strip())
        self.directory, self.config = directory / "data", directory / "config"
        self.config.mkdir()

    def extend(self, size: int) -> None:
        with self.file.open("ab") as file:
            file.truncate(size)

    def bring(self, file_system: str = "xfs") -> None:
        disk.bring(self.path, self.directory, file_system, self.config)

    def leave(self) -> None:
        """As a machine does that goes down."""
        if os.path.ismount(self.directory):
            subprocess.run(["umount", str(self.directory)], check=True)


@pytest.fixture
def device(tmp_path: pathlib.Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.leave()
    subprocess.run(["losetup", "-d", str(made.path)], check=True)


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_a_blank_volume_is_formatted_once_and_mounted_at_every_start(device: Device, file_system: str) -> None:
    device.bring(file_system)
    device.bring(file_system)
    (device.directory / "row").write_text("1")
    device.leave()
    device.bring("ext4")
    assert (device.directory / "row").read_text() == "1"
    assert not list(device.config.iterdir())


def test_formatting_that_was_interrupted_is_done_anew(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    run = disk.run

    def die(program: str, *arguments: str) -> None:
        run(program, *arguments)
        raise SystemExit

    monkeypatch.setattr(disk, "run", die)
    with pytest.raises(SystemExit):
        device.bring()
    monkeypatch.undo()
    with device.path.open("r+b") as half:
        half.seek(4096)
        half.write(b"\xff" * MIB)
    device.bring()
    assert os.path.ismount(device.directory)


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_a_volume_that_is_not_read_for_a_moment_is_not_blank(
    device: Device, file_system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """blkid ends as for a blank one then."""
    device.bring(file_system)
    (device.directory / "row").write_text("1")
    device.leave()
    nothing = subprocess.CompletedProcess(["blkid"], 2, "", "")
    run = disk._run
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(disk, "_run", lambda program, *more: nothing if program == "blkid" else run(program, *more))
            with pytest.raises(disk.DiskError, match="left alone"):
                device.bring(file_system)
    device.bring(file_system)
    assert (device.directory / "row").read_text() == "1"


def test_a_volume_that_can_not_be_read(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = device.file.with_name("none")
    monkeypatch.setattr(disk, "_await", lambda _device: None)
    with pytest.raises(disk.DiskError, match="can't be read"):
        disk.bring(missing, device.directory, "xfs", device.config)


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_a_mark_of_another_file_system_is_none_of_this_one(device: Device, file_system: str) -> None:
    """As it is left where mkfs could not begin."""
    device.bring(file_system)
    (device.directory / "row").write_text("1")
    device.leave()
    (device.config / disk.FORMATTING).write_text("0f0f0f0f-0000-4000-8000-000000000000")
    device.bring(file_system)
    assert (device.directory / "row").read_text() == "1"
    assert not list(device.config.iterdir())


@pytest.mark.parametrize("what", ["swap", "partitions", "vfat"])
def test_a_volume_that_holds_something_else_is_left_alone(device: Device, what: str) -> None:
    _HOLDING[what](device.path)
    before = device.file.read_bytes()[:MIB]
    with pytest.raises(disk.DiskError, match="left alone"):
        device.bring()
    assert device.file.read_bytes()[:MIB] == before


def test_volume_that_is_not_attached(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "APPEARS_WITHIN", 0.0)
    with pytest.raises(disk.DiskError, match="not attached"):
        disk.bring(pathlib.Path("/dev/disk/by-id/virtio-none"), device.directory, "xfs", device.config)


def test_a_volume_that_was_extended_meanwhile_is_used_whole(device: Device) -> None:
    device.bring()
    before = Volume(device.directory).usage().total
    device.leave()
    device.extend(LARGER)
    subprocess.run(["losetup", "-c", str(device.path)], check=True)
    device.bring()
    after = Volume(device.directory).usage().total
    assert before is not None
    assert after is not None
    assert after - before > 60 * MIB / (1 << 30)


def test_growing_waits_until_the_machine_sees_it(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud says that it is extended a moment before."""
    device.bring()
    sizes = iter([SIZE, SIZE, 1 << 30])
    monkeypatch.setattr(disk, "size", lambda _device: next(sizes))
    task = GrowFilesystem()
    path = device.directory
    task.bind(Plain(Machine("i", "127.0.0.1", 1, path, path, path, None)))
    task.execute("i", 1)
    assert not list(sizes)


class Plain(Datastore):
    """A machine without an engine."""

    default_port = 1


def _write(*command: str) -> Callable[[pathlib.Path], object]:
    return lambda path: subprocess.run([*command, str(path)], check=True, capture_output=True)


def _partition(path: pathlib.Path) -> None:
    entry = bytes([0x80, 0, 2, 0, 0x83, 0, 10, 0]) + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    with path.open("r+b") as raw:
        raw.seek(446)
        raw.write(entry.ljust(64, b"\0") + b"\x55\xaa")


def _fat(path: pathlib.Path) -> None:
    with path.open("r+b") as raw:
        raw.write(b"\xeb\x3c\x90MSDOS5.0\x00\x02\x04\x01\x00\x02\x00\x02\x00\x00\xf8\x20\x00".ljust(54, b"\0"))
        raw.write(b"FAT16   ".ljust(456, b"\0") + b"\x55\xaa")


_HOLDING: dict[str, Callable[[pathlib.Path], object]] = {
    "swap": _write("mkswap"),
    "partitions": _partition,
    "vfat": _fat,
}

# SPDX-License-Identifier: Apache-2.0
"""Data volumes that are block devices: real ones, made of files."""

import contextlib
import datetime
import itertools
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest

from guest import disk
from guest.datastores.base import Datastore, Machine
from guest.tasks.volume import GrowFilesystem
from guest.volume import Volume
from tests.waiting import wait_for

MIB = 1 << 20
SIZE, LARGER = 320 * MIB, 400 * MIB
"""mkfs.xfs makes nothing smaller than 300 MiB."""
NEW = datetime.datetime(2126, 1, 1, tzinfo=datetime.UTC)
"""Of a machine that was told that its volume is new."""
OVER = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


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

    def bring(self, file_system: str = "xfs", blank_until: datetime.datetime | None = NEW) -> None:
        disk.bring(self.path, self.directory, file_system, self.config, blank_until)

    def used(self, file_system: str = "xfs") -> None:
        """One with a row, on a machine that is down."""
        self.bring(file_system)
        (self.directory / "row").write_text("1")
        self.leave()

    def row(self) -> str:
        """What is in it."""
        return (self.directory / "row").read_text()

    def start(self) -> bytes:
        """Its first MiB."""
        with self.file.open("rb") as file:
            return file.read(MIB)

    def damage(self) -> bytes:
        """Where it says what it is; what was there."""
        with self.path.open("r+b", buffering=0) as file:
            was = file.read(4096)
            file.seek(0)
            file.write(bytes(4096))
            os.fsync(file.fileno())
        return was

    def mend(self, was: bytes) -> None:
        with self.path.open("r+b", buffering=0) as file:
            file.write(was)
            os.fsync(file.fileno())

    def forget(self) -> None:
        """As a machine that was made anew."""
        for file in self.config.iterdir():
            file.unlink()

    @property
    def notes(self) -> dict[str, str]:
        """On the machine's own disk."""
        return {path.name: path.read_text().strip() for path in self.config.iterdir()}

    @property
    def id(self) -> str:
        """Of its file system."""
        told = subprocess.run(
            ["blkid", "-p", "-s", "UUID", "-o", "value", str(self.path)], capture_output=True, text=True, check=False
        )
        return told.stdout.strip()

    def leave(self) -> None:
        """As a machine does that goes down."""
        if os.path.ismount(self.directory):
            subprocess.run(["umount", str(self.directory)], check=True)


@contextlib.contextmanager
def _device(directory: pathlib.Path) -> Iterator[Device]:
    made = Device(directory)
    try:
        yield made
    finally:
        made.leave()
        subprocess.run(["losetup", "-d", str(made.path)], check=True)


@pytest.fixture
def device(tmp_path: pathlib.Path) -> Iterator[Device]:
    with _device(tmp_path) as made:
        yield made


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_a_blank_volume_is_formatted_once_and_mounted_at_every_start(device: Device, file_system: str) -> None:
    device.bring(file_system)
    device.used(file_system)
    device.bring("ext4")
    assert device.row() == "1"
    assert device.notes == {disk.HELD: device.id}


@pytest.mark.parametrize("until", [None, OVER])
def test_a_blank_volume_that_may_not_be_new_is_left_alone(device: Device, until: datetime.datetime | None) -> None:
    with pytest.raises(disk.DiskError, match="not told that it is new"):
        device.bring(blank_until=until)
    assert not any(device.start())
    assert not device.notes


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
@pytest.mark.parametrize("until", [None, NEW])
def test_a_damaged_volume_is_left_alone(device: Device, file_system: str, until: datetime.datetime | None) -> None:
    """It looks blank. Whoever mends it has all of it."""
    device.used(file_system)
    was = device.damage()
    for _ in range(2):
        with pytest.raises(disk.DiskError, match=f"looks blank, but held the file system {device.notes[disk.HELD]}"):
            device.bring(file_system, until)
    device.mend(was)
    device.bring(file_system, until)
    assert device.row() == "1"


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_a_machine_made_anew_takes_the_volume_as_it_is(device: Device, file_system: str) -> None:
    """Rebuilt, or evacuated long after it was made. It knows nothing of the volume."""
    device.used(file_system)
    device.forget()
    was = device.damage()
    for until in (None, OVER):
        with pytest.raises(disk.DiskError, match="not told that it is new"):
            device.bring(file_system, until)
    device.mend(was)
    device.bring(file_system, None)
    assert device.row() == "1"
    assert device.notes == {disk.HELD: device.id}


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_another_file_system_is_left_alone(device: Device, file_system: str) -> None:
    device.used(file_system)
    (device.config / disk.HELD).write_text(other := str(uuid.uuid4()))
    with pytest.raises(disk.DiskError, match=f"holds the file system {device.id}, but held {other}; it is left alone"):
        device.bring(file_system)
    (device.config / disk.HELD).unlink()
    device.bring(file_system)
    assert device.row() == "1"


@pytest.mark.parametrize("known", [True, False])
def test_a_file_system_without_an_id_is_left_alone(device: Device, known: bool) -> None:
    _write("mkfs.ext4", "-q", "-U", "clear")(device.path)
    if known:
        (device.config / disk.HELD).write_text(str(uuid.uuid4()))
    before = device.start()
    with pytest.raises(disk.DiskError, match=r"without an id.* left alone"):
        device.bring("ext4")
    assert device.start() == before


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
@pytest.mark.parametrize("after", [False, True])
def test_dying_anywhere(tmp_path: pathlib.Path, file_system: str, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before or after each thing that is done to the volume or noted of it."""
    for at in itertools.count():
        (tmp_path / str(at)).mkdir()
        with _device(tmp_path / str(at)) as device:
            if not _dies(device, file_system, at, after, monkeypatch):
                break
            device.used(file_system)
            device.bring(file_system, None)
            assert device.row() == "1"
            assert device.notes == {disk.HELD: device.id}
    assert at >= 8


def _dies(device: Device, file_system: str, at: int, after: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether there are so many things to be done."""
    left = at

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def do(*arguments: object, **more: object) -> object:
            nonlocal left
            left -= 1
            dies = left == -1
            if after or not dies:
                call(*arguments, **more)
            if dies:
                raise SystemExit
            return None

        return do

    with monkeypatch.context() as patch:
        for name in ("_write", "_sync", "run"):
            patch.setattr(disk, name, dying(getattr(disk, name)))
        try:
            device.bring(file_system)
        except SystemExit:
            return True
    return False


_AGENT = """\
import datetime, pathlib, sys
from guest import disk
disk._PATH = sys.argv.pop(1) + ":" + disk._PATH
device, directory, config = map(pathlib.Path, sys.argv[1:])
disk.bring(device, directory, "xfs", config, datetime.datetime.max.replace(tzinfo=datetime.UTC))
"""
_MKFS = """\
#!/bin/sh
echo begun >{said}
read _ <{gate}
/usr/sbin/mkfs.xfs "$@"
echo ended >{said}
"""


def test_what_an_agent_left_running_ends_before_the_next_begins(
    device: Device, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd ends the agent only."""
    programs, gate, said = tmp_path / "bin", tmp_path / "gate", tmp_path / "said"
    programs.mkdir()
    os.mkfifo(gate)
    mkfs = programs / "mkfs.xfs"
    mkfs.write_text(_MKFS.format(said=said, gate=gate))
    mkfs.chmod(0o755)
    places = map(str, (programs, device.path, device.directory, device.config))
    agent = subprocess.Popen([sys.executable, "-c", _AGENT, *places])
    wait_for(said.exists, 30, "mkfs to begin")
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    seen: list[str] = []
    real = disk._look

    def look(path: pathlib.Path) -> dict[str, str] | None:
        seen.append(said.read_text())
        return real(path)

    monkeypatch.setattr(disk, "_look", look)
    following = threading.Thread(target=device.bring)
    with caplog.at_level(logging.INFO):
        following.start()
        wait_for(lambda: "an earlier agent" in caplog.text, 30, "the next agent to wait")
        gate.write_text("go\n")
        following.join(60)
    assert os.path.ismount(device.directory)
    assert set(seen) == {"ended\n"}
    assert device.notes == {disk.HELD: device.id}


def test_formatting_that_was_interrupted_is_done_anew(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    run = disk.run

    def die(program: str, *arguments: str, lock: int | None = None) -> None:
        run(program, *arguments, lock=lock)
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
    device.used(file_system)
    nothing = subprocess.CompletedProcess(["blkid"], 2, "", "")
    run = disk._run
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(
                disk,
                "_run",
                lambda program, *more, **lock: nothing if program == "blkid" else run(program, *more, **lock),
            )
            with pytest.raises(disk.DiskError, match="left alone"):
                device.bring(file_system)
    device.bring(file_system)
    assert device.row() == "1"


def test_a_volume_that_can_not_be_read(device: Device) -> None:
    missing = device.file.with_name("none")
    with pytest.raises(disk.DiskError, match="can't be read"):
        disk.bring(missing, device.directory, "xfs", device.config, NEW)


@pytest.mark.parametrize("file_system", ["xfs", "ext4"])
def test_a_mark_of_another_file_system_is_none_of_this_one(device: Device, file_system: str) -> None:
    """As it is left where mkfs could not begin."""
    device.used(file_system)
    for known in (True, False):
        if not known:
            device.forget()
        (device.config / disk.FORMATTING).write_text("0f0f0f0f-0000-4000-8000-000000000000")
        device.bring(file_system)
        assert device.row() == "1"
        assert device.notes == {disk.HELD: device.id}
        device.leave()


@pytest.mark.parametrize("what", ["swap", "partitions", "vfat"])
def test_a_volume_that_holds_something_else_is_left_alone(device: Device, what: str) -> None:
    _HOLDING[what](device.path)
    before = device.start()
    with pytest.raises(disk.DiskError, match="left alone"):
        device.bring()
    assert device.start() == before


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

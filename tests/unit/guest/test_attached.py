# SPDX-License-Identifier: Apache-2.0
"""Disks as udev names them under one bus and another."""

import pathlib
import threading

import pytest

from guest import attached
from guest.disk import DiskError
from tests.waiting import wait_for

VOLUME = "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a01"
OTHER = "9f0d6c0e-3a6e-4b60-9f57-7f6f9f0c1a01"
"""The same but for the last of the characters that virtio-blk has."""


class Disks:
    """Links to devices."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory / "by-id"
        self.directory.mkdir()

    def add(self, device: str, *names: str) -> pathlib.Path:
        made = self.directory.with_name(device)
        made.touch()
        for name in names:
            (self.directory / name).symlink_to(f"../{device}")
        return made


@pytest.fixture
def disks(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Disks:
    made = Disks(tmp_path)
    monkeypatch.setattr(attached, "BY_ID", made.directory)
    monkeypatch.setattr(attached, "APPEARS_WITHIN", 0.0)
    made.add("sda", "scsi-0QEMU_QEMU_HARDDISK_root", "ata-QEMU_DVD-ROM_QM00001")
    return made


@pytest.mark.parametrize(
    "names",
    [
        [f"virtio-{VOLUME[:20]}"],
        [f"virtio-{VOLUME}"],
        [f"scsi-0QEMU_QEMU_HARDDISK_{VOLUME[:20]}"],
        [f"scsi-0QEMU_QEMU_HARDDISK_{VOLUME}", f"scsi-SQEMU_QEMU_HARDDISK_{VOLUME}"],
        [f"wwn-0x{VOLUME}"],
    ],
)
def test_whatever_it_is_called(disks: Disks, names: list[str]) -> None:
    disks.add("sdb", f"virtio-{OTHER[:20]}", f"scsi-0QEMU_QEMU_HARDDISK_{OTHER}")
    device = disks.add("sdc", *names)
    assert attached.find(VOLUME, pathlib.Path("/dev/none")) == device


def test_partitions_are_no_disks(disks: Disks) -> None:
    device = disks.add("vdb", f"virtio-{VOLUME[:20]}")
    disks.add("vdb1", f"virtio-{VOLUME[:20]}-part1")
    disks.add("vdb12", f"virtio-{VOLUME[:20]}-part12")
    assert attached.find(VOLUME, None) == device


def test_one_that_is_not_attached(disks: Disks) -> None:
    disks.add("vdb1", f"virtio-{VOLUME[:20]}-part1")
    (disks.directory / f"scsi-{VOLUME}").symlink_to("../gone")
    with pytest.raises(DiskError, match=f"{VOLUME} is not attached.*scsi-0QEMU_QEMU_HARDDISK_root"):
        attached.find(VOLUME, None)


def test_two_that_are_called_so(disks: Disks) -> None:
    disks.add("vdb", f"virtio-{VOLUME[:20]}")
    disks.add("sdb", f"scsi-0QEMU_QEMU_HARDDISK_{VOLUME}")
    with pytest.raises(DiskError, match=r"more than one disk: .*/sdb, .*/vdb"):
        attached.find(VOLUME, None)


def test_a_device_where_no_id_is_told(disks: Disks) -> None:
    device = disks.add("vdb")
    assert attached.find(None, device) == device
    assert attached.find(None, None) is None
    with pytest.raises(DiskError, match="vdc is not attached"):
        attached.find(None, device.with_name("vdc"))


def test_one_that_appears_late(disks: Disks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "APPEARS_WITHIN", 30.0)
    looks: list[str] = []
    real = attached._disks

    def look(volume: str) -> set[pathlib.Path]:
        looks.append(volume)
        return real(volume)

    monkeypatch.setattr(attached, "_disks", look)
    found: list[pathlib.Path | None] = []
    finding = threading.Thread(target=lambda: found.append(attached.find(VOLUME, None)))
    finding.start()
    wait_for(lambda: looks, 10, "it to be looked for")
    device = disks.add("sdb", f"scsi-0QEMU_QEMU_HARDDISK_{VOLUME}")
    finding.join(10)
    assert found == [device]

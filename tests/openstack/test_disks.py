# SPDX-License-Identifier: Apache-2.0
"""Loop devices of a server's volumes, over its end and the host's."""

import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from devcloud.guests import disks
from devcloud.guests.state import Guest


def _loops(file: pathlib.Path) -> list[str]:
    command = ["losetup", "--noheadings", "--output", "NAME", "--associated", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture
def files(tmp_path: pathlib.Path) -> Iterator[list[pathlib.Path]]:
    made = [tmp_path / name for name in ("one", "two")]
    for file in made:
        file.write_bytes(bytes(1 << 20))
    yield made
    for loop in (loop for file in made for loop in _loops(file)):
        subprocess.run(["losetup", "--detach", loop], check=True)


def _guest(tmp_path: pathlib.Path, name: str, file: pathlib.Path) -> Guest:
    (tmp_path / "guests").mkdir(exist_ok=True)
    guest = Guest(tmp_path, name)
    guest.create(None, name)
    disks.attach(guest, f"volume-{name}", str(file), "/dev/vdb")
    return guest


def test_a_server_that_died_has_one_device_when_it_is_on_again(
    tmp_path: pathlib.Path, files: list[pathlib.Path]
) -> None:
    guest = _guest(tmp_path, "died", files[0])
    disks.connect(guest)
    line = disks.connect(guest)
    assert line.split() == ["vdb", *_loops(files[0]), "volume-died"]
    disks.disconnect(guest)
    assert _loops(files[0]) == []


def test_after_a_boot_the_noted_device_may_be_anothers(tmp_path: pathlib.Path, files: list[pathlib.Path]) -> None:
    guest, other = (_guest(tmp_path, file.name, file) for file in files)
    disks.connect(other)
    (taken,) = _loops(files[1])
    noted = guest.read("disks")
    noted["volume-one"]["loop"] = taken
    guest.write("disks", noted)
    disks.disconnect(guest)
    assert _loops(files[1]) == [taken]

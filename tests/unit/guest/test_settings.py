# SPDX-License-Identifier: Apache-2.0
"""What the control plane renders is what the guest reads."""

import datetime
import pathlib
from typing import Any

import pytest

from dbflow import guestconfig
from dbflow.crypto import new_message_key
from guest.settings import BadSettings, load

KEY = new_message_key()
VOLUME = "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a01"
MACHINE = "[machine]\naddress = 127.0.3.1\ndata_dir = /d\nrun_dir = /r\nlog_dir = /l\n"


def write(directory: pathlib.Path, machine: str = MACHINE, **changes: Any) -> None:
    values = {
        "instance_id": "i-1",
        "manager": "mariadb",
        "url": "amqp://me:p$s%%w@host:1/",
        "exchange": "dbflow",
        "key": KEY,
        "heartbeat_interval": 7.5,
    }
    for name, text in {**guestconfig.render(**{**values, **changes}), "machine.conf": machine}.items():
        (directory / name).touch(0o600)
        (directory / name).write_text(text)


def test_round_trip(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    settings = load(tmp_path)
    assert (settings.instance_id, settings.manager, settings.exchange) == ("i-1", "mariadb", "dbflow")
    assert settings.url == "amqp://me:p$s%%w@host:1/"
    assert settings.key == KEY
    assert (settings.heartbeat_interval, settings.beat_interval) == (7.5, 2.0)
    machine = settings.machine(3306)
    assert (machine.port, machine.address, machine.data_dir) == (3306, "127.0.3.1", pathlib.Path("/d"))
    assert (machine.run_as, machine.image_dir) == (None, None)


def test_all_of_the_machine(tmp_path: pathlib.Path) -> None:
    write(tmp_path, MACHINE + "port = 99\nrun_as = mysql\nimage_dir = /i\n")
    machine = load(tmp_path).machine(3306)
    assert (machine.port, machine.run_as, machine.image_dir) == (99, "mysql", pathlib.Path("/i"))


def test_a_volume_that_is_new(tmp_path: pathlib.Path) -> None:
    write(tmp_path, MACHINE + "device = /dev/vdb\n")
    assert load(tmp_path).blank_until is None
    write(tmp_path, MACHINE + "device = /dev/vdb\nblank_until = 2026-11-24T03:30:00+00:00\n")
    assert load(tmp_path).blank_until == datetime.datetime(2026, 11, 24, 3, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize("text", ["soon", "2026-11-24T03:30:00", "1"])
def test_bad_times(tmp_path: pathlib.Path, text: str) -> None:
    write(tmp_path, MACHINE + f"blank_until = {text}\n")
    with pytest.raises(BadSettings, match="blank_until must be a time"):
        load(tmp_path)


def test_a_volume_is_told_by_its_id(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    assert load(tmp_path).volume is None
    write(tmp_path, MACHINE + f"volume = {VOLUME}\ndevice = /dev/vdb\n")
    assert (load(tmp_path).volume, load(tmp_path).device) == (VOLUME, pathlib.Path("/dev/vdb"))


@pytest.mark.parametrize("text", ["", "vdb", VOLUME[:19]])
def test_a_volume_that_could_be_any(tmp_path: pathlib.Path, text: str) -> None:
    write(tmp_path, MACHINE + f"volume = {text}\n")
    with pytest.raises(BadSettings, match="volume must be an id"):
        load(tmp_path)


def test_a_port_must_come_from_somewhere(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    with pytest.raises(BadSettings, match="port"):
        load(tmp_path).machine(None)


def test_secrets_do_not_show(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    assert "p$s" not in repr(load(tmp_path))
    assert "key" not in repr(load(tmp_path))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: pathlib.Path, mode: int) -> None:
    write(tmp_path)
    (tmp_path / "message.key").chmod(mode)
    with pytest.raises(BadSettings, match="0600"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "short", "!" * 44, "ä" * 44])
def test_bad_keys(tmp_path: pathlib.Path, text: str) -> None:
    write(tmp_path)
    (tmp_path / "message.key").write_text(text)
    with pytest.raises(BadSettings, match=r"message\.key"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["guest.conf", "machine.conf", "message.key"])
def test_missing_files(tmp_path: pathlib.Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BadSettings):
        load(tmp_path)


def test_missing_and_bad_values(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "[machine]\naddress = 127.0.0.1\n")
    with pytest.raises(BadSettings, match="data_dir"):
        load(tmp_path)
    write(tmp_path, MACHINE + "port = lots\n")
    with pytest.raises(BadSettings, match="port"):
        load(tmp_path).machine(1)


def test_values_can_not_smuggle_lines(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="one line"):
        write(tmp_path, manager="x\n[machine]\nrun_as = root")

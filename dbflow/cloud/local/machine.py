# SPDX-License-Identifier: Apache-2.0
"""What a new server finds on its disk: its configuration directory and its own directories."""

import pathlib
from collections.abc import Mapping

from dbflow.cloud import base
from dbflow.cloud.local import files
from dbflow.cloud.local.owner import Owner
from dbflow.guestconfig import FENCED_FILE

_MACHINE = "machine.conf"
_PROGRAMS = "programs"


def write_config(
    directory: pathlib.Path,
    boot: base.Boot,
    *,
    owner: Owner,
    run_dir: pathlib.Path,
    port: int,
    programs: pathlib.Path | None,
    image_dir: pathlib.Path | None,
) -> None:
    """Fill the server's directory, which is empty: ``config`` (secret), ``log``, ``data`` if it has no volume."""
    config = directory / "config"
    config.mkdir(mode=0o700)
    owner.own(directory / "log")
    data = pathlib.Path(boot.volume.device) if boot.volume else directory / "data"
    owner.own(data)
    machine = {
        "address": boot.port.addresses[0]["address"],
        "port": str(port),
        "data_dir": str(data),
        "run_dir": str(run_dir),
        "log_dir": str(directory / "log"),
        "run_as": owner.name,
        "image_dir": None if image_dir is None else str(image_dir),
        _PROGRAMS: None if programs is None else str(programs),
    }
    files.write(config / _MACHINE, _render(machine))
    write_files(directory, boot.files)


def write_files(directory: pathlib.Path, texts: Mapping[str, str]) -> None:
    """The control plane's part of the configuration, in that server's directory."""
    config = directory / "config"
    for name, text in texts.items():
        target = _below(config, name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(target, text)


def equip(directory: pathlib.Path, programs: pathlib.Path | None) -> None:
    """Let the guest in that server's directory run those programs; None: the machine's own."""
    path = directory / "config" / _MACHINE
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{_PROGRAMS} = ")]
    if programs is not None:
        lines.append(f"{_PROGRAMS} = {programs}")
    text = "".join(f"{line}\n" for line in lines)
    if text != path.read_text():
        files.write(path, text)


def fence(directory: pathlib.Path) -> None:
    """Let the guest in that server's directory find that it is fenced."""
    files.write(directory / "config" / FENCED_FILE, "")


def unfence(directory: pathlib.Path) -> None:
    """Take it back; fine when it is not."""
    (directory / "config" / FENCED_FILE).unlink(missing_ok=True)


def _render(machine: dict[str, str | None]) -> str:
    lines = [f"{key} = {value}\n" for key, value in machine.items() if value is not None]
    return "[machine]\n" + "".join(lines)


def _below(config: pathlib.Path, name: str) -> pathlib.Path:
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or name == _MACHINE:
        raise base.CloudError(f"{name!r} can't be a file of the guest's configuration directory")
    return config / path

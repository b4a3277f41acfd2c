# SPDX-License-Identifier: Apache-2.0
"""What a new server finds on its disk: its configuration directory and its own directories."""

import pathlib

from dbflow.cloud import base
from dbflow.cloud.local import files
from dbflow.cloud.local.owner import Owner
from dbflow.guestconfig import FENCED_FILE

_MACHINE = "machine.conf"


def write_config(
    directory: pathlib.Path,
    boot: base.Boot,
    *,
    owner: Owner,
    run_dir: pathlib.Path,
    port: int,
    image_dir: pathlib.Path | None,
) -> None:
    """Fill the server's directory, which does not exist yet: ``config`` (secret), ``log``, ``data`` if it has no
    volume."""
    directory.mkdir(mode=0o711)
    directory.chmod(0o711)
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
    }
    files.write(config / _MACHINE, _render(machine))
    for name, text in boot.files.items():
        target = _below(config, name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(target, text)


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

# SPDX-License-Identifier: Apache-2.0
"""What a new server is given: the files of its guest, and the order to start it.

Nothing else: no password of the cloud, of SQL or of the board. It is cloud-init's format, in JSON, which is YAML.
"""

import base64
import dataclasses
import json
import pathlib
from collections.abc import Mapping

from dbflow.cloud import base

CONFIG_DIR = "/etc/dbflow/guest"
SERVICE = "dbflow-guest.service"
"""Of the image; systemd starts it at every boot from the first on."""
_MACHINE = "machine.conf"
_LIMIT = 65535
"""Bytes that Nova takes, in base64."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a guest finds and puts things."""

    address: str
    volume: str | None
    """Id of that of the data; None where there is none."""
    device: str | None
    """As which agents that do not look for its id find it, under virtio-blk."""
    blank_until: str | None
    """Until when that is new, and formatted if it is blank; None where it may hold data."""
    filesystem: str
    run_as: str | None


def render(files: Mapping[str, str], place: Place) -> str:
    """``files``: path below the guest's configuration directory -> contents (secret). The user data, in base64."""
    contents = {_MACHINE: _machine(place), **{_checked(name): text for name, text in files.items()}}
    document = {
        "write_files": [
            {
                "path": f"{CONFIG_DIR}/{name}",
                "permissions": "0600",
                "owner": "root:root",
                "encoding": "b64",
                "content": base64.b64encode(text.encode()).decode(),
            }
            for name, text in contents.items()
        ],
        "runcmd": [["systemctl", "enable", "--now", "--no-block", SERVICE]],
    }
    made = base64.b64encode(f"#cloud-config\n{json.dumps(document)}\n".encode()).decode()
    if len(made) > _LIMIT:
        raise base.CloudError(f"The files of a guest are larger than Nova takes ({len(made)} bytes)")
    return made


def _machine(place: Place) -> str:
    values = {
        "address": place.address,
        "data_dir": "/var/lib/dbflow/data",
        "run_dir": "/run/dbflow",
        "log_dir": "/var/log/dbflow",
        "volume": place.volume,
        "device": place.device,
        "blank_until": place.blank_until,
        "filesystem": None if place.volume is None else place.filesystem,
        "run_as": place.run_as,
    }
    return "[machine]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)


def _checked(name: str) -> str:
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or name == _MACHINE:
        raise base.CloudError(f"{name!r} can't be a file of the guest's configuration directory")
    return name

# SPDX-License-Identifier: Apache-2.0
"""What is known of a server: files in its directory."""

import json
import pathlib
import shutil
from typing import Any

from devcloud.fabric import names
from devcloud.processes import start_time, write_atomically


class Guest:
    """The server ``uuid`` of the cloud in ``cloud``."""

    def __init__(self, cloud: pathlib.Path, uuid: str) -> None:
        self.cloud, self.uuid = cloud, uuid
        self.directory = cloud / "guests" / uuid
        self.namespace = names.of_server(uuid)
        self.console = self.directory / "console.log"

    @property
    def exists(self) -> bool:
        return (self.directory / "guest.json").exists()

    def create(self, base: pathlib.Path | None, hostname: str) -> None:
        """``base``: where the image is mounted; None for one that does not boot."""
        self.directory.mkdir(exist_ok=True)
        self.write("disks", {})
        self.write("guest", {"base": str(base) if base else None, "hostname": hostname, "power": "off"})

    def remove(self) -> None:
        """The last step."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def read(self, name: str, default: Any = None) -> Any:
        """The value written under a name."""
        try:
            return json.loads((self.directory / f"{name}.json").read_text())
        except FileNotFoundError:
            return default

    def write(self, name: str, value: Any) -> None:
        """See ``read``."""
        write_atomically(self.directory / f"{name}.json", json.dumps(value))

    @property
    def boots(self) -> bool:
        return self.read("guest")["base"] is not None

    @property
    def pid(self) -> int | None:
        """Its first process, in the host's numbering; None when it is off."""
        known = self.read("pid")
        return known[0] if known and start_time(known[0]) == known[1] else None

    @property
    def power(self) -> str:
        """``on`` or ``off``."""
        if self.boots:
            return "on" if self.pid else "off"
        return str(self.read("guest")["power"])

    def set_power(self, power: str) -> None:
        self.write("guest", {**self.read("guest"), "power": power})

    @property
    def cgroup(self) -> pathlib.Path:
        """In the hierarchy of version 2, wherever the host has it."""
        top = pathlib.Path("/sys/fs/cgroup")
        unified = top / "unified"
        return (unified if unified.is_dir() else top) / "devcloud" / self.uuid

    def tail(self, size: int = 100_000) -> bytes:
        """The end of its console."""
        return self.console.read_bytes()[-size:] if self.console.exists() else b""


def all_of(cloud: pathlib.Path) -> list[Guest]:
    """Every server of a cloud."""
    place = cloud / "guests"
    return [Guest(cloud, path.name) for path in sorted(place.iterdir())] if place.is_dir() else []

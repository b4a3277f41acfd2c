# SPDX-License-Identifier: Apache-2.0
"""Where a plug-in works, and for which size."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

CLOUD_MARK = "DBFLOW_"


def cloud_marks() -> dict[str, str]:
    """The part of the agent's environment that every process it starts must keep: the local cloud finds by it what
    belongs to a server, whoever adopts it. Nor may a process that outlives the agent inherit its descriptors."""
    return {name: value for name, value in os.environ.items() if name.startswith(CLOUD_MARK)}


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where the plug-in works: read from the guest's configuration at start."""

    instance_id: str
    address: str
    """IPv4 address the server listens on."""
    port: int
    data_dir: pathlib.Path
    """Mount point of the data volume; everything that must outlive the machine is below it."""
    run_dir: pathlib.Path
    """Sockets and pid files; may be lost at a reboot. Its path is short enough for a Unix socket."""
    log_dir: pathlib.Path
    run_as: str | None
    """User the server must run as when the agent is root; None when the agent is unprivileged itself."""
    image_dir: pathlib.Path | None = None
    """A prepared data directory of the engine to copy from, where the image carries one."""
    programs: pathlib.Path | None = None
    """Where the engine's programs are looked for first."""
    fenced: bool = False
    """Nobody may write to the database: another one has taken its place."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the configuration of the server is rendered from."""

    ram: int
    """MiB of the flavor"""
    vcpus: int
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Parameters of the attached configuration group."""

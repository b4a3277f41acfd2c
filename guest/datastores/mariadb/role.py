# SPDX-License-Identifier: Apache-2.0
"""What a server is to others: kept beside the data, and part of every start of the server.

The file says what must be; the running server follows. So a server that dies between the two comes back as the file
has it, and a replica never comes back writable.
"""

import dataclasses
import enum
import json
import os
from collections.abc import Mapping
from typing import Any

from guest.datastores.mariadb.layout import Layout, write

_NEVER = 365 * 86400
"""Seconds after which a source that waits for an acknowledgement falls back, when it never should."""


class Part(enum.StrEnum):
    """Of a set of servers with the same data."""

    ALONE = "alone"
    SOURCE = "source"
    REPLICA = "replica"


@dataclasses.dataclass(frozen=True)
class Role:
    """Of one server."""

    part: Part = Part.ALONE
    read_only: bool = False
    acknowledged: bool = False
    """Whether a commit waits until a replica has it."""
    fallback: float = 0.0
    """Seconds after which such a commit waits no longer; 0: never."""

    def variables(self) -> Mapping[str, int]:
        """Of the running server, but for ``read_only``, which needs care."""
        return {
            "rpl_semi_sync_slave_enabled": int(self.part is Part.REPLICA),
            "rpl_semi_sync_master_timeout": int((self.fallback or _NEVER) * 1000),
            "rpl_semi_sync_master_enabled": int(self.acknowledged),
        }

    def options(self) -> list[str]:
        """For the server's start; none of a server that is alone and writable."""
        if self == Role():
            return []
        wanted = {"read_only": int(self.read_only), **self.variables()}
        return [f"--{name.replace('_', '-')}={value}" for name, value in wanted.items()]


def load(layout: Layout) -> Role:
    """A server without a file is alone. One that is fenced is read-only, and waits for nobody."""
    try:
        kept: dict[str, Any] = json.loads(layout.role.read_text())
    except FileNotFoundError:
        kept = dataclasses.asdict(Role())
    if layout.machine.fenced:
        kept |= {"read_only": True, "acknowledged": False}
    return Role(**{**kept, "part": Part(kept["part"])})


def save(layout: Layout, role: Role) -> None:
    """On the disk when this returns: a power failure must not bring an older one back."""
    write(layout.role, json.dumps(dataclasses.asdict(role)))
    handle = os.open(layout.role.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

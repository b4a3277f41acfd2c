# SPDX-License-Identifier: Apache-2.0
"""What the local cloud knows of a server."""

import dataclasses

from dbflow.cloud.local.hosts import FIRST


@dataclasses.dataclass(frozen=True)
class Record:
    """Of what should be; see dbflow.cloud.local.servers."""

    flavor_id: str
    run_dir: str
    address: str
    boot: int = 1
    deleting: bool = False
    fenced: bool = False
    rebooted: str = ""
    """What the last reboot was asked for with."""
    image: str | None = None
    rebuilt: str = ""
    """What the last rebuild was asked for with."""
    host: str = FIRST
    """Where it should be."""

    @property
    def runs(self) -> bool:
        """Whether it should."""
        return not (self.deleting or self.fenced)

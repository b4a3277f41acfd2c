# SPDX-License-Identifier: Apache-2.0
"""Whether a replica follows, by what its server says of it in turn."""

from typing import Any

import pytest

from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import replication


def _channel(takes: str, applies: str, at: int, error: str = "") -> dict[str, Any]:
    return {
        "Slave_IO_Running": takes,
        "Slave_SQL_Running": applies,
        "Relay_Log_Pos": at,
        "Last_IO_Error": error,
        "Last_SQL_Error": "",
    }


@pytest.mark.parametrize(
    ("channel", "takes"),
    [
        (None, False),
        (_channel("No", "No", 4), False),
        (_channel("Connecting", "Yes", 4), False),
        (_channel("Yes", "Yes", 4), False),
        (_channel("Yes", "Yes", 300), True),
        (_channel("Yes", "No", 300), False),
    ],
)
def test_it_follows_when_it_has_been_given_something(channel: dict[str, Any] | None, takes: bool) -> None:
    """Not when it has only asked."""
    assert replication._takes(channel) is takes


def test_a_source_that_refuses_it() -> None:
    """As MariaDB 10.11 says it: for a moment it takes, and has an error already."""
    assert not replication._takes(_channel("Yes", "Yes", 4, "Got fatal error 1236 from master"))
    with pytest.raises(DatastoreError, match="does not follow its source: Got fatal error 1236"):
        replication._takes(_channel("No", "Yes", 4, "Got fatal error 1236 from master"))

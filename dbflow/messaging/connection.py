# SPDX-License-Identifier: Apache-2.0
"""Broker connections by URL."""

import contextlib
from collections.abc import Iterator

import kombu

EMBEDDED = "dbflow+unix://"
CONNECT_TIMEOUT = 5.0


def connection(url: str) -> kombu.Connection:
    """A kombu connection, not yet open. ``dbflow+unix:///path`` is the embedded broker, all else is kombu's."""
    if url.startswith(EMBEDDED):
        return kombu.Connection(
            transport="dbflow.messaging.embedded.transport:Transport",
            transport_options={"path": url.removeprefix(EMBEDDED)},
        )
    return kombu.Connection(url, connect_timeout=CONNECT_TIMEOUT)


@contextlib.contextmanager
def opened(url: str) -> Iterator[kombu.Connection]:
    """An open connection, closed at the end. Raises what the transport raises when there is no broker."""
    with connection(url) as conn:
        conn.ensure_connection(  # one try a host, none of kombu's pauses
            max_retries=len(conn.alt), interval_start=0, interval_step=0, reraise_as_library_errors=False
        )
        yield conn

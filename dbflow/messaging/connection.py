# SPDX-License-Identifier: Apache-2.0
"""Broker connections by URL."""

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


def is_embedded(url: str) -> bool:
    """Whether the URL names the broker of standalone."""
    return url.startswith(EMBEDDED)

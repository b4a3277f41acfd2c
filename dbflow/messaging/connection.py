# SPDX-License-Identifier: Apache-2.0
"""Broker connections by URL."""

import contextlib
import urllib.parse
from collections.abc import Iterator

import kombu

from dbflow.messaging.frames import tolerant

EMBEDDED = "dbflow+unix://"
CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 10.0
"""Seconds that RabbitMQ may take to do what it is asked, or to take what it is sent."""


def connection(url: str) -> kombu.Connection:
    """A kombu connection, not yet open.

    ``dbflow+unix://USER:PASSWORD@/path`` is the embedded broker, all else is kombu's.
    """
    if url.startswith(EMBEDDED):
        login, _, path = url.removeprefix(EMBEDDED).partition("/")
        user, _, password = login.removesuffix("@").partition(":")
        return kombu.Connection(
            transport="dbflow.messaging.embedded.transport:Transport",
            userid=urllib.parse.unquote(user),
            password=urllib.parse.unquote(password),
            transport_options={"path": f"/{path}"},
        )
    made = kombu.Connection(url, connect_timeout=CONNECT_TIMEOUT)
    if made.transport.driver_type == "amqp":
        made.transport_options["frame_handler"] = tolerant
    return made


def user_of(url: str) -> str | None:
    """Who logs in by this URL."""
    user: str | None = connection(url).userid or None
    return user


def with_login(url: str, user: str, password: str) -> str:
    """The same broker (or brokers: kombu takes several, with ``;`` between) by another login."""
    login = ":".join(urllib.parse.quote(part, safe="") for part in (user, password))
    several = [url] if url.startswith(EMBEDDED) else url.split(";")
    return ";".join(_with_login(one, login) for one in several)


def _with_login(url: str, login: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{login}@{host.rpartition('@')[2]}{slash}{path}"


@contextlib.contextmanager
def opened(url: str, beat: float = 0.0) -> Iterator[kombu.Connection]:
    """An open connection, closed at the end. Raises what the transport raises when there is no broker.

    ``beat``: seconds within which both sides are to hear of each other, for who looks after that.
    """
    with connection(url) as conn:
        if conn.transport.driver_type == "amqp":
            conn.heartbeat = beat
            conn.transport_options |= {"read_timeout": ANSWER_TIMEOUT, "write_timeout": ANSWER_TIMEOUT}
        conn.ensure_connection(  # one try a host, none of kombu's pauses
            max_retries=len(conn.alt), interval_start=0, interval_step=0, reraise_as_library_errors=False
        )
        yield conn

# SPDX-License-Identifier: Apache-2.0
"""Every test of this directory runs on the embedded broker and on RabbitMQ, with a login for each guest."""

import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from dbflow.crypto import broker_password
from dbflow.messaging.embedded import EmbeddedBroker
from dbflow.messaging.logins import logins
from tests.guests.asking import EXCHANGE, Field
from tests.servers import RabbitMQ


@pytest.fixture
def socket_dir() -> Iterator[pathlib.Path]:
    """A directory with a path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="dbflow-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def embedded_field(socket_dir: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[Field]:
    def password(instance_id: str) -> str:
        return broker_password(field.key_of(instance_id))

    broker = EmbeddedBroker(socket_dir / "broker", exchange=EXCHANGE, guest_password=password)
    field = Field(tmp_path, broker.url, logins(broker.url, EXCHANGE, None))
    broker.start()
    yield field
    field.close()
    broker.stop()


@pytest.fixture
def rabbit_field(rabbitmq: RabbitMQ, amqp_url: str, tmp_path: pathlib.Path) -> Iterator[Field]:
    field = Field(tmp_path, amqp_url, logins(amqp_url, EXCHANGE, rabbitmq.management_url))
    yield field
    field.close()


@pytest.fixture(params=["embedded", "rabbit"])
def field(request: pytest.FixtureRequest) -> Field:
    made: Field = request.getfixturevalue(f"{request.param}_field")
    return made

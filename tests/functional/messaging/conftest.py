# SPDX-License-Identifier: Apache-2.0
"""Every test of this directory runs on the embedded broker and on RabbitMQ."""

import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from dbflow.messaging.embedded import EmbeddedBroker
from tests.guests.asking import Field


@pytest.fixture
def socket_dir() -> Iterator[pathlib.Path]:
    """A directory with a path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="dbflow-") as path:
        yield pathlib.Path(path)


@pytest.fixture(params=["embedded", "rabbitmq"])
def field(request: pytest.FixtureRequest, socket_dir: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[Field]:
    if request.param == "embedded":
        broker = EmbeddedBroker(socket_dir / "broker")
        broker.start()
        request.addfinalizer(broker.stop)
        url = broker.url
    else:
        url = request.getfixturevalue("amqp_url")
    made = Field(tmp_path, url)
    yield made
    made.close()

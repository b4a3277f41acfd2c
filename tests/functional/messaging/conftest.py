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


@pytest.fixture
def embedded_url(socket_dir: pathlib.Path) -> Iterator[str]:
    broker = EmbeddedBroker(socket_dir / "broker")
    broker.start()
    yield broker.url
    broker.stop()


@pytest.fixture(params=["embedded_url", "amqp_url"])
def field(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Field]:
    made = Field(tmp_path, request.getfixturevalue(request.param))
    yield made
    made.close()

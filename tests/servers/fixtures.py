# SPDX-License-Identifier: Apache-2.0
"""Pytest's view of the servers: one of each a test process, started when a test first asks; a fresh corner a test.

A test that stops, kills or pauses a server makes one of its own (``ZooKeeper(servers_base)``) instead.
"""

import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient

from tests.servers import MariaDBServer, RabbitMQ, Swift, ZooKeeper, devcloud


@pytest.fixture(scope="session")
def servers_base() -> Iterator[pathlib.Path]:
    """The directory that the servers of this test process live in; other users may enter it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="dbflow-servers-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def zookeeper(servers_base: pathlib.Path) -> Iterator[ZooKeeper]:
    with ZooKeeper(servers_base) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(servers_base: pathlib.Path) -> Iterator[RabbitMQ]:
    server = RabbitMQ(servers_base).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def mariadb_server(servers_base: pathlib.Path) -> Iterator[MariaDBServer]:
    with MariaDBServer(servers_base) as server:
        yield server


@pytest.fixture(scope="session")
def swift(servers_base: pathlib.Path) -> Iterator[Swift]:
    with Swift(servers_base) as server:
        yield server


@pytest.fixture(scope="session")
def cloud() -> Iterator[devcloud.DevCloud]:
    """A whole OpenStack."""
    with devcloud.running() as running:
        yield running


@pytest.fixture
def zookeeper_hosts(zookeeper: ZooKeeper) -> str:
    """Hosts for kazoo with an empty root of this test's own."""
    root = f"/test-{secrets.token_hex(8)}"
    client = KazooClient(zookeeper.hosts)
    client.start()
    client.create(root)
    client.stop()
    client.close()
    return zookeeper.hosts + root


@pytest.fixture
def amqp_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """kombu's URL of an empty virtual host, removed after the test."""
    name = f"test-{secrets.token_hex(8)}"
    yield rabbitmq.create_vhost(name)
    rabbitmq.delete_vhost(name)


@pytest.fixture
def mysql_url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """SQLAlchemy's URL of an empty database, dropped after the test."""
    name = f"test_{secrets.token_hex(8)}"
    yield mariadb_server.create_database(name)
    mariadb_server.drop_database(name)

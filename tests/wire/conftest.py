# SPDX-License-Identifier: Apache-2.0
"""One dbflow-standalone for all tests of the wire, and one instance that most of them share."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from keystoneauth1 import session as keystone
from keystoneauth1.token_endpoint import Token
from troveclient.v1.client import Client as TroveClient

from tests.functional.stack import Client, EmbeddedStack, mysql, new_password, query
from tests.functional.stack.fixtures import FAILED, images, pytest_runtest_makereport
from tests.wire.cli import OpenStack
from tests.wire.commands import has_run_what_it_checks, pytest_configure

__all__ = ["has_run_what_it_checks", "images", "pytest_configure", "pytest_runtest_makereport"]

Rows = list[tuple[Any, ...]]


@dataclasses.dataclass
class Shop:
    """The shared instance."""

    id: str
    name: str
    user: str
    password: str
    shown: dict[str, Any]
    """What `openstack` said when it was created."""
    server: EmbeddedStack
    member: Client

    @property
    def path(self) -> str:
        """Below the project."""
        return f"/instances/{self.id}"

    def login(
        self, user: str, password: str, database: str | None = None
    ) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection to the database server."""
        return mysql(self.member.show(self.id), user, password, database)

    def ask(self, statement: str, user: str | None = None, password: str | None = None) -> Rows:
        """Run a statement, as the instance's first user by default."""
        with self.login(user or self.user, password or self.password) as connection:
            return query(connection, statement)


@pytest.fixture(scope="session")
def server(images: pathlib.Path) -> Iterator[EmbeddedStack]:
    settings = {"quota": {"max_instances_per_tenant": 5, "max_volumes_per_tenant": 20}}
    stack = EmbeddedStack(images, settings)
    with stack:
        yield stack


@pytest.fixture(autouse=True)
def _say_why(request: pytest.FixtureRequest, server: EmbeddedStack) -> Iterator[None]:
    """Show what the server said when a test failed."""
    yield
    if request.node.stash.get(FAILED, False):
        print(server.tell())


@pytest.fixture(scope="session")
def member(server: EmbeddedStack) -> Client:
    return server.client()


@pytest.fixture(scope="session")
def admin(server: EmbeddedStack) -> Client:
    return server.admin()


@pytest.fixture(scope="session")
def openstack(server: EmbeddedStack) -> OpenStack:
    return OpenStack(server.state / "clouds.yaml", "dbflow")


@pytest.fixture(scope="session")
def admin_openstack(server: EmbeddedStack) -> OpenStack:
    return OpenStack(server.state / "clouds.yaml", "dbflow-admin")


@pytest.fixture(scope="session")
def trove(member: Client) -> Any:
    """python-troveclient as Horizon and scripts use it."""
    token = member.headers["X-Auth-Token"]
    return TroveClient(session=keystone.Session(auth=Token(member.endpoint, token)))


@pytest.fixture(scope="session")
def shop(server: EmbeddedStack, member: Client, openstack: OpenStack) -> Shop:
    """Created by `openstack database instance create`, with two databases and a user."""
    user, password = "ann", new_password()
    with server.faults.holding("create-server.execute.called"):  # so that what is shown is an instance that builds
        shown = openstack.table(
            "database instance create shop-1 --flavor db.tiny --size 1 --datastore mariadb --datastore-version 10.11",
            *("--databases", "shop", "depot"),
            *("--users", f"{user}:{password}"),
        )
    instance = member.wait_healthy(shown["id"])
    return Shop(instance["id"], instance["name"], user, password, shown, server, member)

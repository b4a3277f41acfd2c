# SPDX-License-Identifier: Apache-2.0
"""dbflow in a cloud: a real Keystone with its catalog, and a real Swift with the accounts of its projects."""

import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Iterator
from concurrent import futures

import pytest
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3.client import Client as KeystoneClient
from swiftclient import client as swift_client

from tests.functional.stack import EmbeddedStack
from tests.functional.stack.fixtures import FAILED, after_failure, images, pytest_runtest_makereport
from tests.openstack.place import Place, build_image, upload_image
from tests.openstack.stack import CloudStack
from tests.servers import Swift, devcloud
from tests.servers.devcloud import DevCloud
from tests.servers.keystone import Keystone
from tests.servers.swift import Login
from tests.wire.cli import OpenStack, environment
from tests.wire.commands import has_run_what_it_checks, pytest_configure

__all__ = ["has_run_what_it_checks", "images", "pytest_configure", "pytest_runtest_makereport"]

REGION = "test"
DOMAINS = {"user_domain_name": "Default", "project_domain_name": "Default"}
USERS = {
    "ann": ("shop", ["member"]),
    "bob": ("depot", ["member"]),
    "dbflow": ("service", ["service", "ResellerAdmin"]),
    "swift": ("service", ["service"]),
}
"""Name -> project and roles."""


@dataclasses.dataclass
class Identity:
    """A Keystone whose users have their names twice as passwords."""

    keystone: Keystone
    admin: KeystoneClient
    projects: dict[str, str]
    """Name -> id."""

    def fill(self) -> None:
        """Make what USERS names."""
        names = {project for project, _ in USERS.values()}
        made = {name: self.admin.projects.create(name, "default") for name in names}
        self.projects |= {name: project.id for name, project in made.items()}
        self.admin.roles.create("ResellerAdmin")
        roles = {role.name: role for role in self.admin.roles.list()}
        for name, (project, granted) in USERS.items():
            user = self.admin.users.create(name, domain="default", password=2 * name)
            for role in granted:
                self.admin.roles.grant(roles[role], user=user, project=made[project])

    def offer(self, kind: str, url: str) -> None:
        """Put a service into the catalog."""
        service = self.admin.services.create(kind, type=kind)
        self.admin.endpoints.create(service, url, interface="public", region=REGION)

    def auth(self, user: str) -> dict[str, str]:
        """Of clouds.yaml."""
        admin = user == "admin"
        return {
            "auth_url": self.keystone.url,
            "username": user,
            "password": self.keystone.password if admin else 2 * user,
            "project_name": "admin" if admin else USERS[user][0],
            **DOMAINS,
        }


@dataclasses.dataclass
class Site:
    """All of it."""

    identity: Identity
    stack: EmbeddedStack
    clouds: pathlib.Path

    def openstack(self, user: str) -> OpenStack:
        return OpenStack(self.clouds, user)

    def objects(self, user: str, container: str) -> set[str]:
        """Names of what a user finds in its own account."""
        auth = self.identity.auth(user)
        names = {"project_name": auth["project_name"], "region_name": REGION, **DOMAINS}
        login = swift_client.Connection(auth["auth_url"], user, 2 * user, auth_version="3", os_options=names)
        try:
            return {entry["name"] for entry in login.get_container(container, full_listing=True)[1]}
        except swift_client.ClientException as error:
            if error.http_status == 404:
                return set()
            raise


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Elsewhere there are no tests that are for openstack-full only: nobody is to take them for tried."""
    if devcloud.computes() < 2:
        config.hook.pytest_deselected(items=[one for one in items if one.get_closest_marker("full")])
        items[:] = [one for one in items if not one.get_closest_marker("full")]


@pytest.fixture(scope="session")
def identity(servers_base: pathlib.Path) -> Iterator[Identity]:
    with Keystone(servers_base) as keystone:
        login = v3.Password(keystone.url, username="admin", password=keystone.password, project_name="admin", **DOMAINS)
        admin = KeystoneClient(session=session.Session(login), endpoint_override=keystone.url)
        made = Identity(keystone, admin, {})
        made.fill()
        yield made


@pytest.fixture(scope="session")
def site(
    identity: Identity, servers_base: pathlib.Path, images: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    url = identity.keystone.url
    with Swift(servers_base, Login(url, "swift", "swiftswift", "service")) as swift:
        identity.offer("object-store", f"{swift.url}/AUTH_%(tenant_id)s")
        token = {"www_authenticate_uri": url, "auth_url": url, "auth_type": "password", "username": "dbflow"}
        settings = {
            "api": {"auth": "keystone"},
            "keystone_authtoken": {**token, "password": "dbflowdbflow", "project_name": "service", **DOMAINS},
            "object_store": {
                "driver": "swift",
                "swift_account": "project",
                "swift_auth_url": url,
                "swift_username": "dbflow",
                "swift_password": "dbflowdbflow",
                "swift_region_name": REGION,
            },
        }
        clouds = tmp_path_factory.mktemp("clouds") / "clouds.yaml"
        content = {user: {"auth": identity.auth(user), "region_name": REGION} for user in ("ann", "bob", "admin")}
        clouds.write_text(json.dumps({"clouds": content}))
        with EmbeddedStack(images, settings) as stack:
            _register(stack, clouds)
            yield Site(identity, stack, clouds)


def _register(stack: EmbeddedStack, clouds: pathlib.Path) -> None:
    """As an operator puts dbflow into the catalog."""
    command = ["dbflow-manage", "--config-file", str(stack.directory / "more.conf"), "keystone", "register"]
    told = subprocess.run(
        [*command, "--region", REGION, "--public-url", stack.url],
        env=environment({"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "admin"}),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr


@pytest.fixture(scope="session")
def place(cloud: DevCloud) -> Place:
    """Where instances are."""
    return Place.make(cloud)


@pytest.fixture(scope="session", autouse=True)
def image_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[futures.Future[pathlib.Path]]:
    """Built while the tests go on that need none; not at all where none of them needs it."""
    directory = tmp_path_factory.mktemp("image")
    with futures.ThreadPoolExecutor(1) as builder:
        needed = any("guest_image" in getattr(item, "fixturenames", ()) for item in request.session.items)
        yield builder.submit(build_image, directory) if needed else futures.Future()


@pytest.fixture(scope="session")
def guest_image(cloud: DevCloud, image_file: futures.Future[pathlib.Path]) -> str:
    """Id of the image that databases' servers boot from."""
    path = image_file.result()
    made = upload_image(cloud, path)
    path.unlink()
    return made


@pytest.fixture(scope="session")
def cloud_stack(place: Place, guest_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStack]:
    """dbflow there, with a network for its guests."""
    with CloudStack(tmp_path_factory.mktemp("images"), place.managed(), guest_image) as made:
        yield made


@pytest.fixture
def stack(cloud_stack: CloudStack, request: pytest.FixtureRequest) -> Iterator[CloudStack]:
    """The same, for a test that leaves nothing behind."""
    yield cloud_stack
    cloud_stack.faults.clear()
    after_failure(request, cloud_stack)


@pytest.fixture(autouse=True)
def _say_why(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what the server said when a test that uses it failed."""
    yield
    if request.node.stash.get(FAILED, False) and "site" in request.fixturenames:
        print(request.getfixturevalue("site").stack.tell())

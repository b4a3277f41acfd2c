# SPDX-License-Identifier: Apache-2.0
"""The API and the console with the tokens of a real Keystone."""

import dataclasses
import pathlib
import re
import secrets
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from keystoneauth1 import session
from keystoneauth1.exceptions import NotFound
from keystoneauth1.identity import v3
from keystoneclient.v3.client import Client as KeystoneClient
from oslo_config import cfg
from werkzeug.test import TestResponse

from dbflow import conf as options
from dbflow.api import auth
from dbflow.api.app import create_app
from dbflow.services.context import Services
from tests.servers.keystone import Keystone
from tests.servers.memcached import Memcached
from tests.unit.api.world import BODY, World

CONFIG = """\
[api]
auth = keystone
[keystone_authtoken]
www_authenticate_uri = {url}
auth_url = {url}
auth_type = password
username = dbflow
password = {password}
project_name = service
user_domain_name = Default
project_domain_name = Default
"""
REMEMBERED = """\
memcached_servers = {server}
memcache_security_strategy = ENCRYPT
memcache_secret_key = secret-of-memcached
"""


@dataclasses.dataclass
class Cloud:
    """A Keystone with two projects, a member in each, and dbflow's own user; passwords are their names twice."""

    keystone: Keystone
    client: KeystoneClient
    shop: str
    services: Services
    directory: pathlib.Path
    app: FlaskClient

    def password(self, user: str) -> str:
        return self.keystone.password if user == "admin" else 2 * user

    def form(self, user: str, project: str) -> dict[str, str]:
        """As a person fills it; the domains are left as they are."""
        login = {"user": user, "password": self.password(user), "project": project}
        return {**login, "user_domain": "Default", "project_domain": "Default"}

    def browser(self, user: str, project: str) -> FlaskClient:
        """Signed in."""
        browser = self.app.application.test_client()
        answer = browser.post("/console/signin", data=self.form(user, project))
        assert answer.status_code == 303, answer.text
        return browser

    def token(self, user: str, project: str) -> str:
        names = {"user_domain_name": "Default", "project_domain_name": "Default"}
        login = v3.Password(self.keystone.url, username=user, password=2 * user, project_name=project, **names)
        return str(session.Session(login).get_token())

    def ask(self, method: str, path: str, token: str) -> TestResponse:
        """The API, in the project shop."""
        body = BODY if method == "POST" else None
        return self.app.open(f"/v1.0/{self.shop}/{path}", method=method, json=body, headers={"X-Auth-Token": token})


def _app(services: Services, keystone: Keystone, file: pathlib.Path, more: str = "") -> FlaskClient:
    """The API with a configuration of its own; ``more``: lines of [keystone_authtoken]."""
    file.write_text(CONFIG.format(url=keystone.url, password="dbflowdbflow") + more)
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[str(file)])
    return create_app(dataclasses.replace(services, conf=conf), auth.from_conf(conf)).test_client()


@pytest.fixture(scope="module")
def cloud(servers_base: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Keystone(servers_base) as keystone:
        names = {"user_domain_name": "Default", "project_domain_name": "Default"}
        login = v3.Password(keystone.url, username="admin", password=keystone.password, project_name="admin", **names)
        client = KeystoneClient(session=session.Session(login), endpoint_override=keystone.url)
        roles = {role.name: role for role in client.roles.list()}
        projects = {name: client.projects.create(name, "default") for name in ("shop", "depot", "service")}
        for user, project, role in (
            ("ann", "shop", "member"),
            ("bob", "depot", "member"),
            ("dbflow", "service", "service"),
        ):
            made = client.users.create(user, domain="default", password=2 * user)
            client.roles.grant(roles[role], user=made, project=projects[project])
        directory = tmp_path_factory.mktemp("keystone")
        world = World(directory)
        app = _app(world.services, keystone, directory / "dbflow.conf")
        yield Cloud(keystone, client, projects["shop"].id, world.services, directory, app)
        world.database.close()


def test_a_user_signs_in_and_sees_its_project(cloud: Cloud) -> None:
    made = cloud.ask("POST", "instances", cloud.token("ann", "shop"))
    assert made.status_code == 200, made.text
    path = f"/console/instances/{made.json['instance']['id']}"
    ann, bob, admin = cloud.browser("ann", "shop"), cloud.browser("bob", "depot"), cloud.browser("admin", "admin")
    shown = ann.get(path)
    assert shown.status_code == 200
    assert "ann<span" in shown.text
    assert "in shop" in shown.text
    assert bob.get(path).status_code == 404
    assert "db1" not in bob.get("/console/instances").text
    assert admin.get(path).status_code == 200
    for page in ("jobs", "conductors", "guests"):
        assert (ann.get(f"/console/{page}").status_code, admin.get(f"/console/{page}").status_code) == (403, 200)


@pytest.mark.parametrize(
    "changes",
    [{"password": "wrong-one"}, {"project": "depot"}, {"project": "none"}, {"user": "nobody"}, {"user_domain": "none"}],
)
def test_what_keystone_refuses(cloud: Cloud, changes: dict[str, str]) -> None:
    answer = cloud.app.application.test_client().post("/console/signin", data=cloud.form("ann", "shop") | changes)
    assert answer.status_code == 401
    assert "Not known here" in answer.text
    assert "wrong-one" not in answer.text
    assert "Set-Cookie" not in answer.headers


def test_signing_out_revokes_the_token(cloud: Cloud) -> None:
    browser = cloud.browser("ann", "shop")
    page = browser.get("/console/operations").text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    keyring = cloud.app.application.extensions["dbflow"][0].keyring
    cookie = browser.get_cookie("dbflow_console", path="/console")
    assert cookie is not None
    token = keyring.unseal(cookie.value)["token"]
    assert cloud.client.tokens.validate(token).username == "ann"
    assert browser.post("/console/signout", data={"csrf": found[1]}).status_code == 303
    assert browser.get("/console/operations").status_code == 401
    with pytest.raises(NotFound):
        cloud.client.tokens.validate(token)


def test_the_api_takes_no_other_token(cloud: Cloud) -> None:
    assert cloud.ask("GET", "instances", cloud.token("ann", "shop")).status_code == 200
    assert cloud.ask("GET", "instances", cloud.token("bob", "depot")).status_code == 403
    assert cloud.ask("GET", "instances", secrets.token_urlsafe(100)).status_code == 401


def test_workers_remember_tokens_together(cloud: Cloud, servers_base: pathlib.Path) -> None:
    with Memcached(servers_base) as memcached:
        more = REMEMBERED.format(server=f"127.0.0.1:{memcached.port}")
        one, two = (_app(cloud.services, cloud.keystone, cloud.directory / name, more) for name in ("one", "two"))
        token = cloud.token("ann", "shop")
        for app, hits in ((one, 0), (two, 1)):
            ask = dataclasses.replace(cloud, app=app).ask
            assert ask("GET", "instances", token).status_code == 200
            counters = memcached.counters()
            assert (counters["cmd_set"], counters["get_hits"]) == (1, hits)

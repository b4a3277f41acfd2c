# SPDX-License-Identifier: Apache-2.0
"""``dbflow-manage keystone register`` on a real Keystone."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import session
from keystoneauth1.exceptions import Unauthorized
from keystoneauth1.identity import v3
from keystoneclient.v3.client import Client as KeystoneClient

from dbflow.cmd import status
from dbflow.cmd.manage import main
from dbflow.crypto import Keyring
from dbflow.db import migrate
from tests.servers.keystone import Keystone

CONFIG = """\
[database]
connection = sqlite:///{directory}/dbflow.sqlite
[security]
key_file = {directory}/keys
[messaging]
management_url = http://rabbit.example.org:15672
[api]
public_endpoint = https://db.example.org
region = north
[keystone_authtoken]
auth_url = {url}
auth_type = password
username = dbflow
password = {password}
project_name = service
user_domain_name = Default
project_domain_name = Default
"""
DOMAINS = {"user_domain_name": "Default", "project_domain_name": "Default"}
URL = "https://db.example.org/v1.0/%(project_id)s"


@dataclasses.dataclass
class Cloud:
    """A Keystone, an administrator's clouds.yaml, and a configuration of dbflow."""

    keystone: Keystone
    client: KeystoneClient
    directory: pathlib.Path
    capsys: pytest.CaptureFixture[str]

    def configure(self, password: str) -> None:
        text = CONFIG.format(url=self.keystone.url, password=password, directory=self.directory)
        (self.directory / "dbflow.conf").write_text(text)

    def run(self, *arguments: str) -> tuple[int, list[tuple[str, str, str]], str]:
        """Status, (kind, name, state) of each step, and what was said beside."""
        self.capsys.readouterr()
        options = ["--format", "json", "--config-file", str(self.directory / "dbflow.conf")]
        status = main([*options, "keystone", "register", *arguments])
        said = self.capsys.readouterr()
        steps = json.loads(said.out) if said.out else []
        return status, [(step["kind"], step["name"], step["state"]) for step in steps], said.err

    def changes(self, *arguments: str) -> list[tuple[str, str, str]]:
        """What a run, which ends well, does not find as it is to be."""
        status, steps, said = self.run(*arguments)
        assert status == 0, said
        return [step for step in steps if step[2] != "there"]

    def login(self, password: str) -> Any:
        """dbflow's own."""
        names = {"username": "dbflow", "password": password, "project_name": "service", **DOMAINS}
        return v3.Password(self.keystone.url, **names).get_access(session.Session())

    def endpoints(self) -> dict[tuple[str, str], str]:
        """(region, interface) -> URL, of the only service of its type."""
        service = self.client.services.list(type="database")[0]
        found = self.client.endpoints.list(service=service)
        return {(endpoint.region_id, endpoint.interface): endpoint.url for endpoint in found}


@pytest.fixture(scope="module")
def keystone(servers_base: pathlib.Path) -> Iterator[Keystone]:
    with Keystone(servers_base) as server:
        yield server


@pytest.fixture
def cloud(
    keystone: Keystone, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Cloud]:
    auth = {"auth_url": keystone.url, "username": "admin", "password": keystone.password, "project_name": "admin"}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"admin": {"auth": auth | DOMAINS}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLOUD", "admin")
    client = KeystoneClient(
        session=session.Session(v3.Password(**auth, **DOMAINS)), endpoint_override=keystone.url, interface="public"
    )
    made = Cloud(keystone, client, tmp_path, capsys)
    made.configure("first-password")
    yield made
    for service in client.services.list(type="database"):
        client.services.delete(service)
    for user in client.users.list(name="dbflow"):
        client.users.delete(user)


def test_all_is_made_once(cloud: Cloud) -> None:
    made = cloud.changes()
    assert {step for step in made if step[0] != "project"} == {
        ("region", "north", "made"),
        ("user", "dbflow", "made"),
        ("grant", "service of dbflow in service", "made"),
        ("grant", "member of dbflow in service", "made"),
        ("service", "dbflow", "made"),
        *(("endpoint", f"{interface} {URL}", "made") for interface in ("public", "internal", "admin")),
    }
    assert cloud.changes() == []
    assert cloud.endpoints() == {("north", interface): URL for interface in ("public", "internal", "admin")}
    access = cloud.login("first-password")
    assert {"service", "member"} <= set(access.role_names)
    found = access.service_catalog.url_for("database", region_name="north", interface="internal")
    assert found == f"https://db.example.org/v1.0/{access.project_id}"


def test_roles_that_a_cloud_does_not_have_are_made(cloud: Cloud) -> None:
    roles = {role.name: role for role in cloud.client.roles.list()}
    for stronger, weaker in (("admin", "manager"), ("manager", "member")):  # SQLite would keep them
        cloud.client.inference_rules.delete(roles[stronger], roles[weaker])
    cloud.client.roles.delete(roles["manager"])
    assert ("role", "manager", "made") in cloud.changes()
    assert "manager" in {role.name for role in cloud.client.roles.list()}


def test_only_the_urls_that_change_are_changed(cloud: Cloud) -> None:
    cloud.changes()
    inside = "http://10.0.0.1:8779/v1.0/"
    assert cloud.changes("--internal-url", inside) == [
        ("endpoint", "internal http://10.0.0.1:8779/v1.0/%(project_id)s", "changed"),
        ("endpoint", "admin http://10.0.0.1:8779/v1.0/%(project_id)s", "changed"),
    ]
    assert cloud.changes("--internal-url", inside) == []
    assert cloud.endpoints()["north", "public"] == URL


def test_a_region_has_endpoints_of_its_own(cloud: Cloud) -> None:
    cloud.changes()
    made = cloud.changes("--region", "south", "--public-url", "https://south.example.org")
    assert {step[0] for step in made} <= {"region", "endpoint"}
    assert len(cloud.endpoints()) == 6
    assert cloud.endpoints()["north", "public"] == URL


def test_what_was_cut_off_is_gone_on_with(cloud: Cloud) -> None:
    cloud.changes()
    user = cloud.client.users.list(name="dbflow")[0]
    role = next(role for role in cloud.client.roles.list() if role.name == "member")
    project = cloud.client.projects.list(name="service")[0]
    cloud.client.roles.revoke(role, user=user, project=project)
    cloud.client.endpoints.delete(cloud.client.endpoints.list(interface="admin", region="north")[0])
    assert cloud.changes() == [
        ("grant", "member of dbflow in service", "made"),
        ("endpoint", f"admin {URL}", "made"),
    ]


def test_a_password_is_changed_only_when_asked(cloud: Cloud) -> None:
    cloud.changes()
    cloud.configure("second-password")
    status, _, said = cloud.run()
    assert status == 1
    assert "password is not that of [keystone_authtoken]" in said
    assert "second-password" not in said
    cloud.login("first-password")
    assert cloud.changes("--set-password") == [("user", "dbflow", "changed")]
    cloud.login("second-password")
    with pytest.raises(Unauthorized):
        cloud.login("first-password")


def test_no_second_service_of_the_type(cloud: Cloud) -> None:
    cloud.client.services.create("trove", type="database")
    status, steps, said = cloud.run()
    assert status == 1
    assert "services of type database are there: trove" in said
    assert "endpoint" not in {step[0] for step in steps}
    assert {step[0] for step in cloud.changes("--name", "trove")} == {"endpoint"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--public-url", "db.example.org"], "the public URL must begin with http:// or https://: db.example.org"),
        (["--os-cloud", "nowhere"], "the administrator's login"),
    ],
)
def test_what_is_refused(cloud: Cloud, arguments: list[str], message: str) -> None:
    status, steps, said = cloud.run(*arguments)
    assert (status, steps) == (1, [])
    assert message in said


def test_where_users_find_it_must_be_said(cloud: Cloud) -> None:
    (cloud.directory / "dbflow.conf").write_text("[api]\nregion = north\n")
    status, _, said = cloud.run()
    assert status == 1
    assert "--public-url is needed" in said


def test_a_user_that_somebody_else_makes(cloud: Cloud) -> None:
    (cloud.directory / "dbflow.conf").write_text("[api]\npublic_endpoint = https://db.example.org\n")
    status, steps, said = cloud.run()
    assert status == 0
    assert "no user is made" in said
    assert "user" not in {step[0] for step in steps}


def _checked(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """dbflow-status upgrade check."""
    cloud.capsys.readouterr()
    command = ["dbflow-status", "--config-file", str(cloud.directory / "dbflow.conf"), "upgrade", "check"]
    monkeypatch.setattr(sys, "argv", command)
    code = status.main()
    # The table breaks lines where it likes, also behind a hyphen.
    return code, "".join(cloud.capsys.readouterr().out.replace("|", " ").split())


def test_the_upgrade_check_looks_at_keystone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.upgrade(f"sqlite:///{cloud.directory}/dbflow.sqlite")
    Keyring.create_file(cloud.directory / "keys")
    cloud.changes()
    assert _checked(cloud, monkeypatch)[0] == 0
    cloud.client.services.delete(cloud.client.services.list(type="database")[0])
    code, text = _checked(cloud, monkeypatch)
    assert code == 1
    assert "Noendpointoftypedatabaseintheregionnorth:run`dbflow-managekeystoneregister`" in text
    cloud.configure("another-password")
    code, text = _checked(cloud, monkeypatch)
    assert code == 2
    assert "[keystone_authtoken]" in text
    assert "another-password" not in text
    config = cloud.directory / "dbflow.conf"
    config.write_text(config.read_text().replace(str(cloud.keystone.port), "1"))
    code, text = _checked(cloud, monkeypatch)
    assert code == 1
    assert "Keystonedoesnotanswer" in text

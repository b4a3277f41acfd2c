# SPDX-License-Identifier: Apache-2.0
"""What Keystone's roles may do in a project, by the unmodified `openstack`: those that `dbflow-manage keystone
register` sees to."""

import json
import pathlib

import pytest

from tests.openstack.conftest import DOMAINS, REGION, Site
from tests.wire.cli import OpenStack, Refused

CREATE = "database configuration create --datastore mariadb"
VALUES = '{"max_connections": 80}'


def _user(site: Site, directory: pathlib.Path, role: str) -> OpenStack:
    """`openstack` of a new user of ann's project who has that role there, and the roles that it implies."""
    admin = site.identity.admin
    found = {one.name: one for one in admin.roles.list()}
    user = admin.users.create(f"a-{role}", domain="default", password=2 * role)
    admin.roles.grant(found[role], user=user, project=site.identity.projects["shop"])
    clouds = directory / f"{role}.yaml"
    auth = {**site.identity.auth("ann"), "username": f"a-{role}", "password": 2 * role, **DOMAINS}
    clouds.write_text(json.dumps({"clouds": {role: {"auth": auth, "region_name": REGION}}}))
    return OpenStack(clouds, role)


@pytest.mark.parametrize("role", ["member", "manager"])
def test_who_may_change(site: Site, tmp_path: pathlib.Path, role: str) -> None:
    user = _user(site, tmp_path, role)
    made = user.table(CREATE, f"of-a-{role}", VALUES)
    assert site.openstack("ann").table("database configuration show", made["id"])["name"] == f"of-a-{role}"
    with pytest.raises(Refused, match=r"HTTP 40[13]"):
        user("database instance list --all-projects")
    user("database configuration delete", made["id"])


def test_who_may_look(site: Site, tmp_path: pathlib.Path) -> None:
    user = _user(site, tmp_path, "reader")
    made = site.openstack("ann").table(CREATE, "to-look-at", VALUES)
    assert user.table("database configuration show", made["id"])["name"] == "to-look-at"
    for command in ((CREATE, "no", VALUES), ("database configuration delete", made["id"])):
        with pytest.raises(Refused, match="HTTP 403"):
            user(*command)
    site.openstack("ann")("database configuration delete", made["id"])

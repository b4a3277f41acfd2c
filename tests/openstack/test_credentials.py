# SPDX-License-Identifier: Apache-2.0
"""Application credentials, with which programs act for a user, and no more than it lets them: through the catalog, by
the unmodified `openstack`."""

import json
import pathlib
from typing import Any

import pytest

from tests.openstack.conftest import REGION, Site
from tests.wire.cli import OpenStack, Refused

CREATE = "database instance create made-by-a-program --flavor db.tiny --size 1 --datastore mariadb"
LIST = "database instance list"


def _program(site: Site, directory: pathlib.Path, name: str, *limits: object) -> tuple[OpenStack, Any]:
    """`openstack` with an application credential of ann's, and the credential."""
    made = site.openstack("ann").table("application credential create", name, *limits)
    auth = {
        "auth_url": site.identity.keystone.url,
        "application_credential_id": made.get("ID") or made["id"],
        "application_credential_secret": made.get("Secret") or made["secret"],
    }
    clouds = directory / "clouds.yaml"
    cloud = {"auth_type": "v3applicationcredential", "auth": auth, "region_name": REGION}
    clouds.write_text(json.dumps({"clouds": {"program": cloud}}))
    return OpenStack(clouds, "program"), made


def test_all_that_its_user_may(site: Site, tmp_path: pathlib.Path) -> None:
    program, _ = _program(site, tmp_path, "whole")
    made = program.table("database configuration create --datastore mariadb group-1", '{"max_connections": 80}')
    shown = site.openstack("ann").table("database configuration show", made["id"])
    assert shown["name"] == "group-1"
    program("database configuration delete", made["id"])
    assert site.openstack("ann").table("database configuration list") == []


def test_one_that_may_only_read(site: Site, tmp_path: pathlib.Path) -> None:
    program, _ = _program(site, tmp_path, "reading", "--role", "reader")
    assert program.table(LIST) == []
    with pytest.raises(Refused, match=r"Policy doesn't allow instance:create to be performed. \(HTTP 403\)"):
        program(CREATE)
    assert site.openstack("ann").table(LIST) == []


def test_access_rules_are_kept(site: Site, tmp_path: pathlib.Path) -> None:
    """keystonemiddleware sees to them, which must be told what service it stands before."""
    rule = {"service": "database", "method": "GET", "path": "/v1.0/*/flavors"}
    program, _ = _program(site, tmp_path, "looking", "--access-rules", json.dumps([rule]))
    assert program.table("database flavor list")
    with pytest.raises(Refused, match="HTTP 401"):
        program(LIST)


def test_one_that_is_taken_back(site: Site, tmp_path: pathlib.Path) -> None:
    program, made = _program(site, tmp_path, "short")
    assert program.table(LIST) == []
    site.openstack("ann")("application credential delete", made.get("ID") or made["id"])
    with pytest.raises(Refused, match=r"Could not find Application Credential|HTTP 404|HTTP 401"):
        program(LIST)


def test_administration_is_not_for_plain_users(site: Site, tmp_path: pathlib.Path) -> None:
    program, _ = _program(site, tmp_path, "curious")
    for command in (f"{LIST} --all-projects", "database instance reboot 2cf6e0a1-0000-4000-8000-000000000000"):
        with pytest.raises(Refused, match=r"HTTP 40[13]"):
            program(command)

# SPDX-License-Identifier: Apache-2.0
"""Logs and backups in the users' own accounts, through the catalog, by the unmodified `openstack`."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.stack import mysql, new_password, query
from tests.openstack.conftest import Site
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, Refused

CREATE = "database instance create shop-1 --flavor db.tiny --size 1 --datastore mariadb --datastore-version 10.11"
PASSWORD = new_password()


@pytest.fixture(scope="module")
def ann(site: Site) -> OpenStack:
    return site.openstack("ann")


@pytest.fixture(scope="module")
def instance(site: Site, ann: OpenStack) -> Iterator[dict[str, Any]]:
    made = ann.table(CREATE, "--databases", "shop", "--users", f"ann:{PASSWORD}")
    yield _ready(ann, made["id"])
    ann("database instance delete", made["id"])
    wait_for(lambda: not ann.table("database instance list"), 60, "the end of the instance")


def _ready(ann: OpenStack, instance_id: str) -> dict[str, Any]:
    def healthy() -> Any:
        shown = ann.table("database instance show", instance_id)
        assert shown["status"] != "ERROR", shown
        return shown if shown["operating_status"] == "HEALTHY" else None

    return dict(wait_for(healthy, 120, "a healthy instance"))


def _ask(instance: dict[str, Any], statement: str) -> list[tuple[Any, ...]]:
    with mysql({"ip": [instance["addresses"][0]["address"]]}, "ann", PASSWORD, "shop") as connection:
        return query(connection, statement)


@pytest.mark.commands("database log save", "database log tail")
def test_a_published_log_is_saved_and_tailed(
    site: Site, ann: OpenStack, instance: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    ann("database log set", instance["id"], "general", "--enable")
    for number in range(60):
        _ask(instance, f"SELECT 'line {number}'")
    published = ann.table("database log set", instance["id"], "general", "--publish")
    names = site.objects("ann", published["container"])
    assert names
    assert all(name.startswith(instance["id"]) for name in names)
    saved = tmp_path / "general.log"
    ann("database log save", instance["id"], "general", "--file", saved)
    text = saved.read_text()
    assert all(f"SELECT 'line {number}'" in text for number in range(60))
    tail = ann("database log tail", instance["id"], "general", "--lines", 5)
    assert len(tail.strip().splitlines()) == 5
    assert text.strip().endswith(tail.strip())
    ann("database log set", instance["id"], "general", "--disable", "--discard")
    assert site.objects("ann", published["container"]) == set()
    assert "No published 'general' log was found" in ann("database log tail", instance["id"], "general")


def test_a_backup_is_in_the_account_of_its_project(site: Site, ann: OpenStack, instance: dict[str, Any]) -> None:
    _ask(instance, "CREATE TABLE goods AS SELECT seq FROM seq_1_to_1000")
    backup = ann.table("database backup create backup-1 --instance", instance["id"])

    def completed() -> Any:
        shown = ann.table("database backup show", backup["id"])
        assert shown["status"] != "FAILED", shown
        return shown if shown["status"] == "COMPLETED" else None

    shown = wait_for(completed, 120, "the backup")
    assert f"/AUTH_{site.identity.projects['shop']}/database_backups/" in shown["locationRef"]
    assert site.objects("ann", "database_backups")
    assert site.objects("bob", "database_backups") == set()
    made = ann.table(CREATE.replace("shop-1", "shop-2"), "--backup", backup["id"])
    restored = _ready(ann, made["id"])
    assert _ask(restored, "SELECT COUNT(*) FROM goods") == [(1000,)]
    ann("database instance delete", made["id"])
    ann("database backup delete", backup["id"])
    wait_for(lambda: not site.objects("ann", "database_backups"), 60, "the end of the backup's objects")


def test_others_see_none_of_it(site: Site, instance: dict[str, Any]) -> None:
    bob = site.openstack("bob")
    assert bob.table("database instance list") == []
    with pytest.raises(Refused, match="No instance with a name or ID"):
        bob("database instance show", instance["id"])
    with pytest.raises(Refused, match=r"HTTP 40[13]"):
        bob("database instance list --all-projects")

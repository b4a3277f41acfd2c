# SPDX-License-Identifier: Apache-2.0
"""`openstack database log …` but `save` and `tail`, which need a Swift: see tests/openstack."""

import pytest

from tests.wire.cli import OpenStack, Refused
from tests.wire.conftest import Shop


def test_set_list_show(openstack: OpenStack, shop: Shop) -> None:
    before = {row["Name"]: row for row in openstack.table("database log list", shop.name)}
    assert {name: row["Type"] for name, row in before.items()} == {"general": "USER", "slow_query": "USER"}
    assert before["general"]["Status"] == "Disabled"
    assert openstack.table("database log set", shop.name, "general", "--enable")["status"] in ("Enabled", "Ready")
    shop.ask("SELECT 'told'")
    shown = openstack.table("database log show", shop.name, "general")
    assert (shown["status"], shown["pending"] > 0, shown["container"]) == ("Ready", True, "None")
    published = openstack.table("database log set", shop.name, "general", "--publish")
    assert (published["container"], published["prefix"]) == ("database_logs", f"{shop.id}/mariadb-general/")
    assert published["published"] > 0
    discarded = openstack.table("database log set", shop.name, "general", "--disable", "--discard")
    assert (discarded["status"], discarded["published"], discarded["prefix"]) == ("Disabled", 0, "None")


def test_refused(openstack: OpenStack, admin_openstack: OpenStack, shop: Shop) -> None:
    with pytest.raises(Refused, match="HTTP 400"):
        openstack("database log set", shop.name, "general", "--enable", "--disable")
    with pytest.raises(Refused, match="HTTP 404"):
        openstack("database log show", shop.name, "audit")
    with pytest.raises(Refused, match="HTTP 403"):
        openstack("database log show", shop.name, "error")
    assert admin_openstack.table("database log show", shop.id, "error")["type"] == "SYS"
    with pytest.raises(Refused, match="HTTP 400"):
        admin_openstack("database log set", shop.id, "error", "--disable")

# SPDX-License-Identifier: Apache-2.0
"""`openstack database log …` but `save` and `tail`, which need a Swift: see tests/openstack."""

import pytest

from dbflow.objectstore.directory import Directory
from tests.wire.cli import OpenStack, Refused
from tests.wire.conftest import Shop


@pytest.mark.commands("database log set", "database log list", "database log show")
def test_set_list_show(openstack: OpenStack, shop: Shop) -> None:
    store = Directory(str(shop.server.objects))
    before = {row["Name"]: row for row in openstack.table("database log list", shop.name)}
    assert {name: row["Type"] for name, row in before.items()} == {"general": "USER", "slow_query": "USER"}
    assert before["general"]["Status"] == "Disabled"
    assert openstack.table("database log set", shop.name, "general", "--enable")["status"] in ("Enabled", "Ready")
    assert shop.ask("SELECT @@GLOBAL.general_log") == [(1,)]
    shop.ask("SELECT 'told'")
    shown = openstack.table("database log show", shop.name, "general")
    assert (shown["status"], shown["pending"] > 0, shown["container"]) == ("Ready", True, "None")
    published = openstack.table("database log set", shop.name, "general", "--publish")
    assert (published["container"], published["prefix"]) == ("database_logs", f"{shop.id}/mariadb-general/")
    names = [name for name, _ in store.sizes(published["container"], published["prefix"])]
    text = b"".join(store.read(published["container"], name) for name in names)
    assert b"SELECT 'told'" in text
    assert published["published"] == len(text)
    discarded = openstack.table("database log set", shop.name, "general", "--disable", "--discard")
    assert (discarded["status"], discarded["published"], discarded["prefix"]) == ("Disabled", 0, "None")
    assert shop.ask("SELECT @@GLOBAL.general_log") == [(0,)]
    assert list(store.sizes(published["container"], published["prefix"])) == []


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

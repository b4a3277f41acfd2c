# SPDX-License-Identifier: Apache-2.0
"""What trove-dashboard reads of the answers, by the very client that it uses."""

from typing import Any

import pytest
from troveclient.apiclient import exceptions

from tests.wire.conftest import Shop

OPTIONAL = ("replica_of", "replicas", "configuration", "fault", "hostname")
"""It asks with hasattr whether they apply, so that none of them may be there as null."""


def test_the_table_of_instances(trove: Any, shop: Shop) -> None:
    shop.member.wait_healthy(shop.id)
    page = trove.instances.list(limit=20, marker=None)
    assert page.next is None
    (row,) = page
    shown = row.to_dict()
    assert row.status in ("ACTIVE", "HEALTHY")
    assert row.operating_status == "HEALTHY"
    assert row.datastore == {"type": "mariadb", "version": "10.11"}
    assert row.volume["size"] >= 1
    assert row.ip == [row.addresses[0]["address"]]
    assert not [key for key in OPTIONAL if key in shown]
    assert trove.flavors.get(row.flavor["id"]).ram


def test_the_page_of_an_instance(trove: Any, shop: Shop) -> None:
    shown = trove.instances.get(shop.id)
    assert not [key for key in OPTIONAL if hasattr(shown, key)]
    assert (shown.id, shown.created <= shown.service_status_updated) == (shop.id, True)
    assert shown.access.get("is_public", False) is False
    assert {"shop", "depot"} <= {database.name for database in trove.databases.list(shop.id)}
    users = {user.name: user for user in trove.users.list(shop.id)}
    assert users["ann"].host == "%"
    granted = {database.name for database in trove.users.list_access(shop.id, "ann", hostname="%")}
    assert granted == {database["name"] for database in users["ann"].databases} == {"shop", "depot"}
    assert trove.root.is_root_enabled(shop.id).rootEnabled in (True, False)


def test_what_its_forms_offer(trove: Any) -> None:
    """Datastore, version, flavor: each choice leads to the next."""
    (datastore,) = trove.datastores.list()
    (version,) = trove.datastore_versions.list(datastore.id)
    assert trove.datastore_versions.get(datastore.name, version.name).id == version.id
    offered = trove.flavors.list_datastore_version_associated_flavors(datastore.name, version.id)
    assert [flavor.id for flavor in offered] == [flavor.id for flavor in trove.flavors.list()]
    assert all((flavor.name, flavor.ram, flavor.str_id) for flavor in offered)


def test_tabs_of_what_there_is_not(trove: Any, shop: Shop) -> None:
    """Its views catch the client's exceptions: nothing else may come."""
    with pytest.raises(exceptions.NotFound):
        trove.clusters.list()
    assert [log.name for log in trove.instances.log_list(shop.id)] == ["general", "slow_query"]

# SPDX-License-Identifier: Apache-2.0
"""python-troveclient as a library: what its command line does not reach."""

from typing import Any

import pytest
from troveclient.apiclient import exceptions

from tests.functional.stack import Client, new_password
from tests.wire.conftest import Shop

UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"


def test_versions(trove: Any) -> None:
    assert trove.get_database_api_version_from_endpoint() == "1.0"


def test_instances(trove: Any, shop: Shop) -> None:
    (listed,) = trove.instances.list()
    (detailed,) = trove.instances.list(detailed=True)
    shown = trove.instances.get(shop.id)
    assert listed.id == detailed.id == shown.id == shop.id
    assert "created" not in listed.to_dict()
    assert detailed.created == shown.created
    assert shown.datastore["version_number"].startswith("10.11.")
    assert trove.instances.find(name=shop.name).id == shop.id
    trove.instances.update(shop.id, name="patched")
    assert trove.instances.get(shop.id).name == "patched"
    trove.instances.update(shop.id, name=shop.name)


def test_change_passwords(trove: Any, shop: Shop) -> None:
    old, new = new_password(), new_password("'`\\%")
    trove.users.create(shop.id, [{"name": "pat", "password": old, "host": "%"}])
    trove.users.change_passwords(shop.id, [{"name": "pat", "host": "%", "password": new}])
    assert shop.ask("SELECT CURRENT_USER()", "pat", new) == [("pat@%",)]
    with pytest.raises(Exception, match="denied"):
        shop.login("pat", old)
    trove.users.delete(shop.id, "pat")


def test_paging(trove: Any, shop: Shop) -> None:
    """The client takes the marker from the link to the next page."""
    names = [f"page-{number}" for number in range(3)]
    users = [{"name": f"u.{number}", "password": new_password(), "host": "127.0.0.%"} for number in range(3)]
    trove.databases.create(shop.id, [{"name": name} for name in names])
    trove.users.create(shop.id, users)
    wanted = sorted([*names, "shop", "depot"])
    assert _pages(trove.databases, shop.id) == wanted
    found = _pages(trove.users, shop.id)
    assert found == ["ann", "u.0", "u.1", "u.2"]
    for user in users:
        assert trove.users.get(shop.id, user["name"], user["host"]).host == "127.0.0.%"
        trove.users.delete(shop.id, user["name"], user["host"])
    for name in names:
        trove.databases.delete(shop.id, name)


def _pages(manager: Any, instance_id: str) -> list[str]:
    """Names of everything, in pages of two."""
    page = manager.list(instance_id, limit=2)
    names = [item.name for item in page]
    while page.next:
        page = manager.list(instance_id, limit=2, marker=page.next)
        assert 0 < len(page) <= 2
        names += [item.name for item in page]
    return names


def test_limits_and_quotas(trove: Any, member: Client) -> None:
    absolute, *rates = trove.limits.list()
    assert (absolute.verb, absolute.max_instances, absolute.max_volumes) == ("ABSOLUTE", 5, 20)
    assert [rate.verb for rate in rates] == ["GET", "POST", "PUT", "DELETE", "POST"]
    assert {quota.resource for quota in trove.quota.show(member.project)} == {"instances", "ram", "volumes", "backups"}


def test_errors_become_the_right_exceptions(trove: Any, shop: Shop) -> None:
    with pytest.raises(exceptions.NotFound, match=f"Instance {UUID} cannot be found"):
        trove.instances.get(UUID)
    with pytest.raises(exceptions.BadRequest, match="Volume size was not specified"):
        trove.instances.create("x", "1")
    with pytest.raises(exceptions.RequestEntityTooLarge, match=r"volume\.size"):
        trove.instances.create("x", "1", volume={"size": 1000})
    with pytest.raises(exceptions.Unauthorized, match="admin"):
        trove.quota.update(shop.member.project, {"instances": 1})
    with pytest.raises(exceptions.Forbidden, match="reset_status"):
        trove.instances.reset_status(shop.id)
    with pytest.raises(exceptions.NotFound):
        trove.backups.get(UUID)

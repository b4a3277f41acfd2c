# SPDX-License-Identifier: Apache-2.0
"""`openstack datastore …` and `openstack database flavor|limit|quota …`."""

import pytest

from tests.functional.stack import Client
from tests.wire.cli import OpenStack, Refused
from tests.wire.conftest import Shop

FLAVORS = {"db.tiny": 256, "db.small": 512, "db.medium": 1024, "db.large": 2048, "db.xlarge": 4096, "db.2xlarge": 8192}


@pytest.mark.commands("datastore list", "datastore show", "datastore version list", "datastore version show")
def test_datastores(openstack: OpenStack) -> None:
    (datastore,) = openstack.table("datastore list")
    assert datastore["Name"] == "mariadb"
    (version,) = openstack.table("datastore version list mariadb")
    assert version["Name"] == "10.11"
    assert version["Version"].startswith("10.11.")
    assert openstack.table("datastore version list", datastore["ID"]) == [version]
    for reference in ("mariadb", datastore["ID"]):
        assert openstack.table("datastore show", reference) == {
            "id": datastore["ID"],
            "name": "mariadb",
            "default_version": "10.11",
            "versions (id)": f"10.11 ({version['ID']})",
        }
    shown = {"id": version["ID"], "name": "10.11", "version": version["Version"], "datastore": datastore["ID"]}
    assert openstack.table("datastore version show", version["ID"]) == shown
    assert openstack.table("datastore version show 10.11 --datastore mariadb") == shown
    with pytest.raises(Refused, match=r"oracle"):
        openstack("datastore show oracle")
    with pytest.raises(Refused, match=r"HTTP 404"):
        openstack("datastore version show 5.5 --datastore mariadb")


def test_the_administrator_sees_what_a_version_is_made_of(admin_openstack: OpenStack) -> None:
    shown = admin_openstack.table("datastore version show 10.11 --datastore mariadb")
    assert {"active", "packages", "image", "registry_ext", "repl_strategy", "image_tags"} <= shown.keys()


@pytest.mark.commands("database flavor list", "database flavor show")
def test_flavors(openstack: OpenStack) -> None:
    listed = openstack.table("database flavor list")
    assert {flavor["Name"]: flavor["RAM"] for flavor in listed} == FLAVORS
    (version,) = openstack.table("datastore version list mariadb")
    of_version = ("--datastore-type", "mariadb", "--datastore-version-id", version["ID"])
    assert openstack.table("database flavor list", *of_version) == listed
    for reference in ("db.small", "2"):
        shown = openstack.table("database flavor show", reference)
        assert shown == {"id": 2, "name": "db.small", "ram": 512, "vcpus": 1, "disk": 0, "ephemeral": 0}
    with pytest.raises(Refused, match="with a name or ID"):
        openstack("database flavor show db.none")


@pytest.mark.commands("database limit list")
def test_limits(openstack: OpenStack) -> None:
    text = openstack("database limit list -f csv")
    for expected in ("max_instances | 5", "max_volumes   | 20", '"POST"', '"MINUTE"'):
        assert expected in text


@pytest.mark.commands("database quota show", "database quota update")
def test_quotas(openstack: OpenStack, admin_openstack: OpenStack, member: Client, shop: Shop) -> None:
    def shown() -> dict[str, tuple[int, int, int]]:
        rows = admin_openstack.table("database quota show", member.project)
        return {row["Resource"]: (row["In Use"], row["Reserved"], row["Limit"]) for row in rows}

    instance = member.show(shop.id)
    before = shown()
    assert before["instances"] == (1, 0, 5)
    assert before["volumes"] == (instance["volume"]["size"], 0, 20)
    assert set(before) == {"instances", "ram", "volumes", "backups"}
    assert openstack.table("database quota show", member.project) == admin_openstack.table(
        "database quota show", member.project
    )
    assert admin_openstack.table("database quota update", member.project, "instances", 1) == {"instances": 1}
    with pytest.raises(Refused, match=r"Quota exceeded for resources: \['instances'\].*HTTP 413"):
        openstack("database instance create more --flavor 1 --size 1")
    admin_openstack("database quota update", member.project, "instances", 5)
    assert shown() == before
    with pytest.raises(Refused, match="HTTP 401"):
        openstack("database quota update", member.project, "instances", 100)
    with pytest.raises(Refused, match="HTTP 404"):
        admin_openstack("database quota update", member.project, "wine", 1)
    with pytest.raises(Refused, match="HTTP 400"):
        admin_openstack("database quota update", member.project, "ram", "--", -2)


@pytest.mark.commands(
    "datastore version create",
    "datastore version set",
    "datastore version delete",
    "datastore delete",
)
def test_versions_come_and_go(openstack: OpenStack, admin_openstack: OpenStack, shop: Shop) -> None:
    (there,) = admin_openstack.table("datastore version list mariadb")
    create = "datastore version create 11.8 maria-next mariadb own --version-number 11.8.3 --active --default"
    with pytest.raises(Refused, match="Failed to create"):  # it does not say why
        openstack(create)
    admin_openstack(create)
    with pytest.raises(Refused, match="already exists"):
        admin_openstack(create)
    (made,) = openstack.table("datastore version list maria-next")
    assert (made["Name"], made["Version"]) == ("11.8", "11.8.3")
    assert openstack.table("datastore show maria-next")["default_version"] == "11.8"
    admin_openstack("datastore version set", made["ID"], *["--disable", "--version-name", "next"])
    assert openstack.table("datastore version list maria-next") == []
    shown = admin_openstack.table("datastore version show", made["ID"], "--datastore", "maria-next")
    assert (shown["active"], shown["image"], shown["name"]) == (False, "own", "next")
    with pytest.raises(Refused, match="HTTP 40"):
        openstack("database instance create none --flavor 1 --size 1 --datastore maria-next --datastore-version next")
    with pytest.raises(Refused, match="in use by"):
        admin_openstack("datastore version delete", there["ID"])
    with pytest.raises(Refused, match="has versions"):
        admin_openstack("datastore delete maria-next")
    admin_openstack("datastore version delete", made["ID"])
    admin_openstack("datastore delete maria-next")
    assert [one["Name"] for one in openstack.table("datastore list")] == ["mariadb"]

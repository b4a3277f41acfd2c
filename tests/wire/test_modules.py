# SPDX-License-Identifier: Apache-2.0
"""Modules by Trove's own client (`trove module-…` is a thin shell around it), checked in the database server itself."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import session as keystone
from keystoneauth1.token_endpoint import Token
from troveclient import exceptions, utils
from troveclient.v1.client import Client as TroveClient

from tests.functional.stack import Client
from tests.waiting import wait_for
from tests.wire.conftest import Shop

SCRIPT = "CREATE TABLE IF NOT EXISTS shop.site (what VARCHAR(9)); INSERT INTO shop.site VALUES ('%s');"
UNDO = "\n-- undo\nDROP TABLE IF EXISTS shop.site;\n"


@pytest.fixture(scope="module")
def admin_trove(admin: Client) -> Any:
    token = admin.headers["X-Auth-Token"]
    return TroveClient(session=keystone.Session(auth=Token(admin.endpoint, token)))


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(trove: Any, admin_trove: Any, shop: Shop) -> Iterator[None]:
    yield
    for module in admin_trove.instances.modules(shop.id):
        admin_trove.instances.module_remove(shop.id, module)
    for module in admin_trove.modules.list():
        admin_trove.modules.delete(module)


def site(shop: Shop) -> list[str]:
    """What scripts have written."""
    if not shop.ask("SHOW TABLES FROM shop LIKE 'site'"):
        return []
    return [what for (what,) in shop.ask("SELECT what FROM shop.site ORDER BY what")]


def test_create_list_show_update_delete(trove: Any) -> None:
    made = trove.modules.create(
        "greeting",
        "ping",
        b"message=hello",
        description="says hello",
        all_tenants=False,
        datastore="mariadb",
        datastore_version="10.11",
        auto_apply=False,
        visible=True,
        live_update=False,
        priority_apply=False,
        apply_order=3,
    )
    assert (made.type, made.datastore, made.datastore_version, made.apply_order) == ("ping", "mariadb", "10.11", 3)
    found = utils.find_resource(trove.modules, "greeting")
    assert (found.id, found.md5, found.description) == (made.id, made.md5, "says hello")
    assert [one.name for one in trove.modules.list(datastore="mariadb")] == ["greeting"]
    assert list(trove.modules.list(datastore="all")) == []
    changed = trove.modules.update(made, name="other", module_type="ping", contents=b"message=bye", all_datastores=True)
    assert (changed.name, changed.datastore, changed.datastore_version) == ("other", "all", "all")
    assert changed.md5 != made.md5
    trove.modules.delete(made)
    with pytest.raises(exceptions.NotFound):
        trove.modules.get(made)


def test_what_is_for_administrators(trove: Any, admin_trove: Any) -> None:
    for option in ({"all_tenants": True}, {"auto_apply": True}, {"visible": False}, {"full_access": True}):
        with pytest.raises(exceptions.Forbidden):
            trove.modules.create("mine", "ping", b"message=x", **option)
    hidden = admin_trove.modules.create("hidden", "ping", b"message=x", all_tenants=True, visible=False)
    with pytest.raises(exceptions.NotFound):
        trove.modules.get(hidden)
    with pytest.raises(exceptions.NotFound):
        trove.modules.create("mine", "new_relic_license", b"x")
    with pytest.raises(exceptions.BadRequest):
        trove.modules.create("mine", "ping", b"no message")
    admin_trove.modules.delete(hidden)


def _reapplied(shop: Shop) -> bool:
    """Whether the newest reapply has ended."""
    newest = shop.member.ask("GET", "/operations?kind=module.reapply")["operations"][0]
    return bool(newest["done"])


def test_on_an_instance(trove: Any, shop: Shop, tmp_path: pathlib.Path) -> None:
    greeting = trove.modules.create("greeting", "ping", b"message=hello")
    script = trove.modules.create("site", "sql", (SCRIPT % "one" + UNDO).encode(), live_update=True)
    applied = trove.instances.module_apply(shop.id, [greeting, script])
    assert [(one.name, one.type, one.status, one.message) for one in applied] == [
        ("greeting", "ping", "OK", "hello"),
        ("site", "sql", "OK", "2 statements run"),
    ]
    assert site(shop) == ["one"]
    listed = trove.instances.modules(shop.id)
    assert [(one.name, one.md5) for one in listed] == [("greeting", greeting.md5), ("site", script.md5)]
    queried = trove.instances.module_query(shop.id)
    assert [(one.name, one.datastore, one.datastore_version, one.message) for one in queried] == [
        ("greeting", "all", "all", "hello"),
        ("site", "all", "all", "2 statements run"),
    ]
    files = trove.instances.module_retrieve(shop.id, str(tmp_path), "kept")
    assert pathlib.Path(files["site"]).read_bytes() == (SCRIPT % "one" + UNDO).encode()
    assert pathlib.Path(files["greeting"]).read_bytes() == b"message=hello"
    with pytest.raises(exceptions.Forbidden, match="live_update"):
        trove.modules.delete(greeting)
    with pytest.raises(exceptions.Forbidden, match="live_update"):
        trove.modules.update(greeting, contents=b"message=other")
    assert [one.id for one in trove.modules.instances(greeting)] == [shop.id]

    trove.modules.update(script, contents=(SCRIPT % "two" + UNDO).encode())
    (count,) = trove.modules.instances(script, count_only=True)
    assert (count.module_name, count.module_md5, count.current, count.instance_count) == ("site", script.md5, False, 1)
    trove.modules.reapply(script, batch_size=1, delay=0)
    wait_for(lambda: site(shop) == ["one", "two"], 60, "the module to be given again")
    wait_for(lambda: trove.modules.instances(script, count_only=True)[0].current, 60, "the count of it")
    wait_for(lambda: _reapplied(shop), 60, "the end of the operation: until then the module is busy")
    shop.member.wait_healthy(shop.id)

    trove.instances.module_remove(shop.id, script)
    assert site(shop) == []
    with pytest.raises(exceptions.NotFound):
        trove.instances.module_remove(shop.id, script)
    trove.instances.module_remove(shop.id, greeting)
    assert trove.instances.modules(shop.id) == []
    trove.modules.delete(greeting)


def test_what_the_server_refuses(trove: Any, shop: Shop) -> None:
    bad = trove.modules.create("bad", "sql", (SCRIPT % "bad" + "NONSENSE" + UNDO).encode())
    with pytest.raises(exceptions.ClientException, match="Statement 3 failed"):
        trove.instances.module_apply(shop.id, [bad])
    assert (site(shop), trove.instances.modules(shop.id), trove.instances.module_query(shop.id)) == ([], [], [])
    assert shop.member.show(shop.id)["status"] == "ACTIVE"
    trove.modules.delete(bad)

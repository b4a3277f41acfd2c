# SPDX-License-Identifier: Apache-2.0
"""python-troveclient moves an instance to another host: `openstack` has no command for it."""

from typing import Any

import pytest
from keystoneauth1 import session as keystone
from keystoneauth1.token_endpoint import Token
from troveclient import exceptions
from troveclient.v1.client import Client as TroveClient

from tests.functional.stack import Client, operation_of
from tests.wire.conftest import Shop


@pytest.fixture(scope="module")
def admin_trove(admin: Client) -> Any:
    return TroveClient(session=keystone.Session(auth=Token(admin.endpoint, admin.headers["X-Auth-Token"])))


def server_of(admin_trove: Any, shop: Shop) -> dict[str, Any]:
    """As an administrator's client shows it."""
    server: dict[str, Any] = admin_trove.mgmt_instances.show(shop.id).server
    return server


def test_migrate(shop: Shop, member: Client, admin: Client, trove: Any, admin_trove: Any) -> None:
    before = server_of(admin_trove, shop)
    assert (before["id"], before["status"], before["tenant_id"]) == (shop.id, "ACTIVE", member.project)
    other = {"one": "two", "two": "one"}[before["host"]]
    with pytest.raises(exceptions.Unauthorized):
        trove.mgmt_instances.migrate(shop.id, other)
    for host in (before["host"], "nowhere"):
        with pytest.raises(exceptions.BadRequest, match=r"\(host\)"):
            admin_trove.mgmt_instances.migrate(shop.id, host)
    assert server_of(admin_trove, shop) == before

    ((path,),) = shop.ask("SELECT @@GLOBAL.pid_file")
    agent = shop.server.agent(shop.id)
    admin_trove.mgmt_instances.migrate(shop.id, other)
    newest = member.ask("GET", f"/operations?kind=instance.migrate&target_id={shop.id}")["operations"][0]
    member.wait_operation(newest["id"])
    member.wait_healthy(shop.id)
    assert server_of(admin_trove, shop) == before | {"host": other}
    assert shop.server.agent(shop.id) not in (None, agent)
    assert shop.ask("SELECT @@GLOBAL.pid_file") == [(path,)]
    assert shop.ask("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'") == [(1,)]

    answer = admin.raw("POST", f"/mgmt/instances/{shop.id}/action", {"migrate": {}})
    assert (answer.status_code, answer.content) == (202, b"")
    member.wait_operation(operation_of(answer))
    member.wait_healthy(shop.id)
    assert server_of(admin_trove, shop) == before
    listed = {one.id: one.server["host"] for one in admin_trove.mgmt_instances.index(deleted=False)}
    assert listed[shop.id] == before["host"]

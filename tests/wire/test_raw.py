# SPDX-License-Identifier: Apache-2.0
"""Status codes, headers and exact key sets of the wire, as they are on the socket."""

import re
from typing import Any

import pytest
import requests

from tests.functional.stack import Client, EmbeddedStack, new_password, operation_of
from tests.waiting import wait_for
from tests.wire.conftest import Shop

UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LISTED = {"id", "name", "status", "operating_status", "links", "flavor", "datastore", "region", "access", "volume"}
PLACED = {"ip", "addresses"}
DETAILED = LISTED | {"created", "updated", "service_status_updated", "encrypted_rpc_messaging"}


def base(client: Client) -> str:
    """The server's URL."""
    return client.endpoint.rpartition("/v1.0/")[0]


def linked(client: Client) -> str:
    """What links begin with: https whatever the client spoke."""
    return client.endpoint.replace("http://", "https://")


def empty(answer: requests.Response, status: int) -> None:
    """Accepted or done, with nothing to say."""
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers["Content-Type"] == "application/json"


def fault(answer: requests.Response, status: int, name: str) -> str:
    """The message of an error body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {name}
    assert set(body[name]) == {"code", "message"}
    assert body[name]["code"] == status
    message: str = body[name]["message"]
    return message


def test_versions_without_a_token(member: Client) -> None:
    answer = requests.get(f"{base(member)}/", timeout=10)
    (version,) = answer.json()["versions"]
    assert version == {
        "id": "v1.0",
        "status": "CURRENT",
        "updated": "2012-08-01T00:00:00Z",
        "links": [{"rel": "self", "href": f"{linked(member).rpartition('/v1.0/')[0]}/v1.0/"}],
    }
    for path in ("/v1.0", "/v1.0/"):
        assert requests.get(f"{base(member)}{path}", timeout=10).json() == {"version": version}
    assert requests.get(f"{base(member)}/healthcheck", timeout=10).status_code == 200
    assert requests.get(f"{base(member)}/doc/", timeout=10).status_code == 200
    fault(requests.get(f"{base(member)}/v2.0/{member.project}", timeout=10), 404, "itemNotFound")


def test_tokens(member: Client, admin: Client) -> None:
    for headers in ({}, {"X-Auth-Token": "guessed"}):
        answer = requests.get(f"{member.endpoint}/instances", headers=headers, timeout=10)
        fault(answer, 401, "unauthorized")
        assert "WWW-Authenticate" in answer.headers
    for other in (admin.project, "somebody", UUID):
        answer = requests.get(f"{base(member)}/v1.0/{other}/instances", headers=member.headers, timeout=10)
        assert answer.status_code == 403
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text == f"User with tenant id {member.project} cannot access this resource."


def test_request_ids(member: Client) -> None:
    seen = set()
    for path in ("/instances", "/flavors", "/nothing", f"/instances/{UUID}"):
        headers = member.raw("GET", path).headers
        assert headers["X-Openstack-Request-Id"] == headers["X-Compute-Request-Id"]
        assert REQUEST_ID.fullmatch(headers["X-Openstack-Request-Id"])
        seen.add(headers["X-Openstack-Request-Id"])
    assert len(seen) == 4


def test_an_instance_from_create_to_delete(server: EmbeddedStack, member: Client, shop: Shop) -> None:
    with server.faults.holding("create-server.execute.called"):
        path = _created_and_deleted(member)
    wait_for(lambda: _is_gone(member, path), 60, "the end of it")
    gone = path.rpartition("/")[2]
    assert fault(member.raw("GET", path), 404, "itemNotFound") == f"Instance {gone} cannot be found."


def _created_and_deleted(member: Client) -> str:
    """The path of an instance that is still built when its end is asked for."""
    body = {"instance": {"name": "raw-1", "flavorRef": 1, "volume": {"size": "1"}}}
    answer, again = (member.raw("POST", "/instances", body, **{"Idempotency-Key": "wire-raw-1"}) for _ in range(2))
    assert (again.status_code, again.json(), again.links) == (200, answer.json(), answer.links)
    assert answer.status_code == 200
    shown = answer.json()["instance"]
    assert set(answer.json()) == {"instance"}
    assert set(shown) == DETAILED
    assert (shown["status"], shown["operating_status"], shown["volume"]) == ("BUILD", "", {"size": 1})
    assert shown["flavor"]["id"] == "1"
    assert set(shown["datastore"]) == {"type", "version", "version_number"}
    assert shown["links"] == [
        {"rel": "self", "href": f"{linked(member)}/instances/{shown['id']}"},
        {"rel": "bookmark", "href": f"{linked(member).rpartition('/v1.0/')[0]}/instances/{shown['id']}"},
    ]
    for key in ("created", "updated", "service_status_updated"):
        assert TIMESTAMP.fullmatch(shown[key]), shown[key]
    assert answer.links["operation"]["url"] == f"{linked(member)}/operations/{operation_of(answer)}"

    path = f"/instances/{shown['id']}"
    assert DETAILED <= set(member.show(shown["id"])) <= DETAILED | PLACED
    fault(member.raw("POST", f"{path}/action", {"restart": {}}), 422, "unprocessableEntity")
    fault(member.raw("GET", f"{path}/databases"), 422, "unprocessableEntity")
    answer = member.raw("DELETE", path)
    empty(answer, 202)
    assert operation_of(answer)
    return path


def _is_gone(member: Client, path: str) -> bool:
    answer = member.raw("GET", path)
    assert answer.status_code == 404 or answer.json()["instance"]["status"] == "SHUTDOWN"
    return answer.status_code == 404


def test_views_of_an_instance(member: Client, admin: Client, shop: Shop) -> None:
    member.wait_healthy(shop.id)
    wait_for(lambda: "used" in member.show(shop.id)["volume"], 30, "a heartbeat that tells of the volume")
    listed = member.ask("GET", "/instances", status=200)
    assert set(listed) == {"instances"}
    (item,) = listed["instances"]
    assert set(item) == LISTED | PLACED
    assert set(item["volume"]) == {"size"}
    assert set(item["datastore"]) == {"type", "version"}
    assert item["access"]["is_public"] is False
    assert set(item["access"]) <= {"is_public", "allowed_cidrs"}  # other tests change who may reach it
    (detailed,) = member.ask("GET", "/instances/detail", status=200)["instances"]
    shown = member.ask("GET", shop.path, status=200)["instance"]
    for one in (detailed, shown):
        assert set(one) == DETAILED | PLACED
        assert set(one["volume"]) == {"size", "used", "used_percent"}
        assert one["addresses"] == [{"address": one["ip"][0], "type": "private", "network": "loopback"}]
    more = admin.ask("GET", shop.path, status=200)["instance"]
    assert set(more) == DETAILED | PLACED | {"tenant_id", "server_id", "volume_id"}


def test_pages_of_instances(member: Client, shop: Shop) -> None:
    made, _ = member.create("raw-2")
    page = member.ask("GET", "/instances?limit=1&include_clustered=False")
    assert [item["id"] for item in page["instances"]] == [made]
    (link,) = page["links"]
    assert link["rel"] == "next"
    assert link["href"].startswith(f"{member.endpoint}/instances?")
    assert {"limit=1", f"marker={made}", "include_clustered=False"} == set(link["href"].partition("?")[2].split("&"))
    last = member.ask("GET", f"/instances?limit=1&marker={made}")
    assert ([item["id"] for item in last["instances"]], "links" in last) == ([shop.id], False)
    member.deleted(made)


def test_changes_of_an_instance(member: Client, shop: Shop) -> None:
    for method in ("PUT", "PATCH"):
        empty(member.raw(method, shop.path, {"instance": {"name": shop.name}}), 202)
        empty(member.raw(method, shop.path, {"instance": {"configuration": None}}), 202)
        empty(member.raw(method, shop.path, {"instance": {}}), 202)
    answer = member.raw("POST", f"{shop.path}/action", {"restart": {}})
    empty(answer, 202)
    # Nobody who polls at once may take it for done.
    assert member.show(shop.id)["status"] in ("REBOOT", "ACTIVE")
    member.wait_operation(operation_of(answer))
    member.wait_healthy(shop.id)


def test_databases(member: Client, shop: Shop) -> None:
    path = f"{shop.path}/databases"
    wanted = {"databases": [{"name": "raw"}, {"name": "raw.2", "character_set": "utf8mb4", "collate": None}]}
    empty(member.raw("POST", path, wanted), 202)
    listed = member.ask("GET", path, status=200)
    assert listed == {"databases": [{"name": name} for name in ("depot", "raw", "raw.2", "shop")]}
    page = member.ask("GET", f"{path}?limit=1")
    assert page["databases"] == [{"name": "depot"}]
    assert page["links"] == [{"rel": "next", "href": f"{member.endpoint}{path}?limit=1&marker=depot"}]
    message = fault(member.raw("POST", path, wanted), 400, "badRequest")
    assert message == 'A database with the name "raw" already exists.'
    fault(member.raw("GET", f"{path}/raw"), 501, "notImplemented")
    for name in ("raw", "raw%2e2"):
        empty(member.raw("DELETE", f"{path}/{name}"), 202)
    message = fault(member.raw("DELETE", f"{path}/raw"), 404, "itemNotFound")
    assert message == "Database raw cannot be found on the instance."


def test_users(member: Client, shop: Shop) -> None:
    path = f"{shop.path}/users"
    user = {"name": "raw", "password": new_password(), "host": "127.%", "databases": [{"name": "shop"}]}
    empty(member.raw("POST", path, {"users": [user]}), 202)
    message = fault(member.raw("POST", path, {"users": [user]}), 400, "badRequest")
    assert message == 'A user with the name "raw" already exists.'
    seen = {"name": "raw", "host": "127.%", "databases": [{"name": "shop"}]}
    assert seen in member.ask("GET", path, status=200)["users"]
    one = f"{path}/raw%40127%2e%25"
    assert member.ask("GET", one, status=200) == {"user": seen}
    empty(member.raw("PUT", path, {"users": [{"name": "raw", "host": "127.%", "password": new_password()}]}), 202)
    empty(member.raw("PUT", f"{one}/databases", {"databases": [{"name": "depot"}]}), 202)
    access = member.ask("GET", f"{one}/databases", status=200)
    assert access == {"databases": [{"name": "depot"}, {"name": "shop"}]}
    empty(member.raw("DELETE", f"{one}/databases/depot"), 202)
    empty(member.raw("PUT", one, {"user": {"host": "%"}}), 202)
    page = member.ask("GET", f"{path}?limit=1&marker=ann%40%25")
    assert page == {"users": [seen | {"host": "%"}]}
    fault(member.raw("GET", one), 404, "itemNotFound")
    empty(member.raw("DELETE", f"{path}/raw"), 202)
    message = fault(member.raw("DELETE", f"{path}/raw"), 404, "itemNotFound")
    assert message == "User raw@% cannot be found on the instance."


def test_root(member: Client, shop: Shop) -> None:
    path, password = f"{shop.path}/root", new_password()
    bodies: tuple[dict[str, str] | None, ...] = (None, {})
    for body in bodies:
        user = member.ask("POST", path, body, status=200)
        assert set(user) == {"user"}
        assert set(user["user"]) == {"name", "password"}
    assert member.ask("POST", path, {"password": password}) == {"user": {"name": "root", "password": password}}
    assert member.ask("GET", path, status=200) == {"rootEnabled": True}
    answer = member.raw("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert member.ask("GET", path, status=200) == {"rootEnabled": False}


def test_catalogue(member: Client) -> None:
    (datastore,) = member.ask("GET", "/datastores", status=200)["datastores"]
    assert set(datastore) == {"id", "name", "links", "versions", "default_version"}
    (version,) = datastore["versions"]
    assert set(version) == {"id", "name", "version", "links"}
    assert datastore["default_version"] == version["id"]
    shown = version | {"datastore": datastore["id"]}
    for path in ("/datastores/mariadb/versions/10.11", f"/datastores/versions/{version['id']}"):
        assert member.ask("GET", path, status=200) == {"version": shown}
    flavors = member.ask("GET", "/flavors", status=200)["flavors"]
    assert {frozenset(flavor) for flavor in flavors} == {
        frozenset({"id", "str_id", "name", "ram", "vcpus", "disk", "ephemeral", "links"})
    }
    assert member.ask("GET", "/datastores/mariadb/versions/10.11/flavors", status=200) == {"flavors": flavors}
    assert member.ask("GET", "/datastores/mariadb/versions/10.11/volume-types", status=200) == {"volume_types": []}


def test_limits_and_quotas(member: Client, shop: Shop) -> None:
    absolute, *rates = member.ask("GET", "/limits", status=200)["limits"]
    assert set(absolute) == {"verb", "max_instances", "max_ram", "max_volumes", "max_backups"}
    for rate in rates:
        assert set(rate) == {"verb", "uri", "regex", "value", "unit", "remaining", "nextAvailable"}
        assert re.fullmatch(TIMESTAMP.pattern + "Z", rate["nextAvailable"])
    quotas = member.ask("GET", f"/mgmt/quotas/{member.project}", status=200)["quotas"]
    assert {frozenset(quota) for quota in quotas} == {frozenset({"resource", "in_use", "reserved", "limit"})}


def test_operations(member: Client, shop: Shop) -> None:
    restart = member.act(shop.id, {"restart": {}})
    member.wait_operation(restart)
    member.wait_healthy(shop.id)
    listed = member.ask("GET", "/operations?limit=1", status=200)
    (operation,) = listed["operations"]
    assert listed["links"][0]["rel"] == "next"
    shown = member.ask("GET", f"/operations/{operation['id']}", status=200)["operation"]
    assert set(shown) - set(operation) == {"steps", "progress"}
    assert (shown["id"], shown["kind"], shown["done"]) == (restart, "instance.restart", True)
    graph = member.ask("GET", f"/operations/{operation['id']}/flow", status=200)
    assert set(graph) == {"graph", "steps"}
    assert {node["name"] for node in graph["graph"]["nodes"]} >= {step["name"] for step in shown["steps"]}
    answer = member.raw("GET", f"/operations/{operation['id']}/events", Accept="text/event-stream")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert "event:" in answer.text
    missing = member.raw("GET", f"/operations/{UUID}")
    assert missing.headers["Content-Type"] == "application/problem+json"
    assert set(missing.json()) == {"type", "title", "status", "detail"}


def test_idempotency_key(member: Client, shop: Shop) -> None:
    path, body = f"{shop.path}/databases", {"databases": [{"name": "once"}]}
    for _ in range(2):
        empty(member.raw("POST", path, body, **{"Idempotency-Key": "wire-once"}), 202)
    other = {"databases": [{"name": "twice"}]}
    refused = member.raw("POST", path, other, **{"Idempotency-Key": "wire-once"})
    assert refused.status_code == 422
    empty(member.raw("DELETE", f"{path}/once"), 202)


def test_what_this_release_does_not_have(member: Client) -> None:
    fault(member.raw("GET", "/clusters"), 404, "itemNotFound")


def test_only_the_owner_finds_it(member: Client, admin: Client, server: EmbeddedStack, shop: Shop) -> None:
    assert admin.ask("GET", "/instances", status=200) == {"instances": []}
    empty(admin.raw("PUT", shop.path, {"instance": {"name": shop.name}}), 202)
    assert member.show(shop.id)["name"] == shop.name


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods(member: Client, method: str) -> None:
    answer: Any = member.raw(method, "/instances")
    assert (answer.status_code, answer.content) == (200, b"")

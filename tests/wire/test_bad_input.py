# SPDX-License-Identifier: Apache-2.0
"""What makes no sense is refused with the right 4xx that names the field, and changes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.functional.stack import Client, EmbeddedStack
from tests.functional.stack.inventory import difference
from tests.wire.conftest import Shop

UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
GOOD: dict[str, Any] = {"name": "never", "flavorRef": "1", "volume": {"size": 1}}
USER = {"name": "app", "password": "x-x-x"}

CREATES = [
    ("unknown flavor", {"flavorRef": "999"}, 400, "flavorRef"),
    ("no flavor", {"flavorRef": None}, 400, "flavorRef"),
    ("flavor of another type", {"flavorRef": {}}, 400, "flavorRef"),
    ("no name", {"name": None}, 400, "name"),
    ("empty name", {"name": ""}, 400, "name"),
    ("name of 256 characters", {"name": "n" * 256}, 400, "name"),
    ("no volume", {"volume": None}, 400, "volume"),
    ("volume of 0", {"volume": {"size": 0}}, 400, "volume size"),
    ("negative volume", {"volume": {"size": -1}}, 400, "volume size"),
    ("volume too large", {"volume": {"size": 11}}, 413, "volume.size"),
    ("volume that is a string", {"volume": {"size": "big"}}, 400, "volume size"),
    ("volume that is a fraction", {"volume": {"size": 1.5}}, 400, "volume size"),
    ("unknown datastore", {"datastore": {"type": "oracle"}}, 404, "datastore.type"),
    ("unknown version", {"datastore": {"type": "mariadb", "version": "1"}}, 400, "datastore.version"),
    ("duplicate database", {"databases": [{"name": "a"}, {"name": "a"}]}, 400, "databases name"),
    ("reserved database", {"databases": [{"name": "mysql"}]}, 400, "databases name"),
    ("unknown character set", {"databases": [{"name": "a", "character_set": "klingon"}]}, 400, "character_set"),
    ("unknown collation", {"databases": [{"name": "a", "collate": "klingon_ci"}]}, 400, "collate"),
    ("duplicate user", {"users": [USER, USER]}, 400, "users name"),
    ("reserved user", {"users": [USER | {"name": "root"}]}, 400, "users name"),
    ("user without password", {"users": [{"name": "app"}]}, 400, "users 0 'password'"),
    ("user of another's database", {"users": [USER | {"databases": [{"name": "b"}]}]}, 400, "users"),
    ("host that is none", {"users": [USER | {"host": "not a host"}]}, 400, "users host"),
    ("replica of nothing", {"replica_of": UUID}, 404, UUID),
    ("replicas of nothing", {"replica_count": 2}, 400, "replica_count"),
    ("backup that is not there", {"restorePoint": {"backupRef": UUID}}, 404, "backupRef"),
    ("configuration that is not there", {"configuration": UUID}, 404, "configuration"),
    ("module that is not there", {"modules": [{"id": UUID}]}, 404, "modules"),
    ("network that is no id", {"nics": [{"net-id": "x"}]}, 400, "nics 0 net-id"),
    ("access from no network", {"access": {"allowed_cidrs": ["10.0.0.0/33"]}}, 400, "allowed_cidrs"),
]
RAW_BODIES = [
    ("malformed", b'{"instance": ', "application/json", 400, "JSON"),
    ("not UTF-8", b"\xff\xfe", "application/json", 400, "JSON"),
    ("empty", b"", "application/json", 400, "body"),
    ("a list", b"[]", "application/json", 400, "object"),
    ("deep", b"[" * 50_000, "application/json", 400, "JSON"),
    ("of another type", b"instance: {}", "application/yaml", 415, "application/yaml"),
    ("of XML without a name", b"<instance/>", "application/xml", 400, "instance 'name'"),
    ("a form", b"name=x", "application/x-www-form-urlencoded", 415, "application/json"),
]
ACTIONS = [
    ("unknown", {"dance": {}}, 400, "dance"),
    ("none", {}, 400, "properties"),
    ("two", {"restart": {}, "resize": {"flavorRef": "2"}}, 400, "properties"),
    ("to nothing", {"resize": {}}, 400, "resize"),
    ("to both", {"resize": {"flavorRef": "2", "volume": {"size": 5}}}, 400, "resize"),
    ("to an unknown flavor", {"resize": {"flavorRef": "999"}}, 400, "flavorRef"),
    ("to no volume", {"resize": {"volume": {"size": 0}}}, 400, "volume"),
    ("to a word", {"resize": {"volume": {"size": "big"}}}, 400, "volume"),
    ("to a smaller volume", {"resize": {"volume": {"size": 1}}}, 400, "size"),
    ("to a volume too large", {"resize": {"volume": {"size": 1000}}}, 413, "volume.size"),
    ("by somebody", {"reset_status": {}}, 403, "reset_status"),
    ("replica", {"promote_to_replica_source": {}}, 400, "replica"),
]
ACCOUNTS = [
    ("POST", "databases", {"databases": [{"name": "shop"}]}, 400, '"shop" already exists'),
    ("POST", "databases", {"databases": [{"name": "new"}, {"name": "shop"}]}, 400, '"shop" already exists'),
    ("POST", "databases", {"databases": [{"name": "new"}, {"name": "new"}]}, 400, "databases name"),
    ("POST", "databases", {"databases": [{"name": "information_schema"}]}, 400, "databases name"),
    ("POST", "databases", {"databases": [{"name": "n" * 65}]}, 400, "databases name"),
    ("POST", "databases", {"databases": []}, 400, "databases"),
    ("POST", "users", {"users": [{"name": "ann", "password": "x"}]}, 400, '"ann" already exists'),
    ("POST", "users", {"users": [{"name": "root", "password": "x"}]}, 400, "users name"),
    ("POST", "users", {"users": [{"name": "n" * 129, "password": "x"}]}, 400, "users name"),
    ("POST", "users", {"users": [{"name": "new", "password": ""}]}, 400, "password"),
    ("PUT", "users", {"users": [{"name": "nobody", "password": "x"}]}, 404, "nobody"),
    ("PUT", "users/ann", {"user": {}}, 400, "user"),
    ("PUT", "users/ann", {"user": {"name": "root"}}, 400, "user name"),
    ("PUT", "users/nobody", {"user": {"name": "somebody"}}, 404, "nobody"),
    ("PUT", "users/ann/databases", {"databases": [{"name": "nowhere"}]}, 404, "nowhere"),
    ("PUT", "users/ann/databases", {"databases": [{"name": "mysql"}]}, 400, "databases name"),
    ("DELETE", "users/root", None, 404, "root"),
    ("DELETE", "users/ann/databases/nowhere", None, 404, "nowhere"),
    ("DELETE", "databases/mysql", None, 404, "mysql"),
    ("POST", "root", {"password": ""}, 400, "password"),
]
PAGES = [
    ("/instances?marker=x", 400, "marker"),
    (f"/instances?marker={UUID}", 400, "marker"),
    ("/instances?marker=%00", 400, "marker"),
    ("/instances?limit=x", 400, "limit"),
    ("/instances?limit=-1", 400, "limit"),
    ("/operations?marker=x", 400, "marker"),
    (f"/instances/{'9' * 300}", 404, "cannot be found"),
    ("/instances/%00", 404, "cannot be found"),
    ("/flavors/999", 404, "999"),
    ("/datastores/oracle", 404, "oracle"),
]


@pytest.fixture(autouse=True)
def _nothing_changes(server: EmbeddedStack, member: Client, shop: Shop) -> Iterator[None]:
    before, used = server.settled_inventory(), _holdings(member, shop)
    yield
    assert difference(before, server.inventory()) == {}
    assert _holdings(member, shop) == used


def _holdings(member: Client, shop: Shop) -> list[Any]:
    """What the project uses, its operations, and the accounts of the shared instance."""
    return [
        member.ask("GET", path)
        for path in (f"/mgmt/quotas/{member.project}", "/operations?limit=1", f"{shop.path}/databases")
    ] + [member.ask("GET", f"{shop.path}/users"), member.show(shop.id)["name"]]


def _refused(answer: requests.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    (body,) = [answer.json()] if "detail" in answer.json() else answer.json().values()
    assert words in body.get("message", body.get("detail", "")), answer.text


@pytest.mark.parametrize(("change", "status", "words"), [pytest.param(*row[1:], id=row[0]) for row in CREATES])
def test_creates(member: Client, change: dict[str, Any], status: int, words: str) -> None:
    body = {"instance": {key: value for key, value in {**GOOD, **change}.items() if value is not None}}
    _refused(member.raw("POST", "/instances", body), status, words)


@pytest.mark.parametrize(
    ("body", "media", "status", "words"), [pytest.param(*row[1:], id=row[0]) for row in RAW_BODIES]
)
def test_bodies(member: Client, body: bytes, media: str, status: int, words: str) -> None:
    headers = member.headers | {"Content-Type": media}
    answer = requests.post(f"{member.endpoint}/instances", data=body, headers=headers, timeout=30)
    _refused(answer, status, words)


def test_a_body_of_five_megabytes(member: Client) -> None:
    body = {"instance": GOOD | {"name": "n" * (5 << 20)}}
    _refused(member.raw("POST", "/instances", body), 413, "larger than")
    headers = member.headers | {"Content-Type": "application/json"}
    pieces = (b"x" * (1 << 20) for _ in range(5))
    answer = requests.post(f"{member.endpoint}/instances", data=pieces, headers=headers, timeout=30)
    _refused(answer, 413, "")


@pytest.mark.parametrize(("action", "status", "words"), [pytest.param(*row[1:], id=row[0]) for row in ACTIONS])
def test_actions(member: Client, shop: Shop, action: dict[str, Any], status: int, words: str) -> None:
    _refused(member.raw("POST", f"{shop.path}/action", action), status, words)


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), ACCOUNTS)
def test_accounts(member: Client, shop: Shop, method: str, path: str, body: Any, status: int, words: str) -> None:
    _refused(member.raw(method, f"{shop.path}/{path}", body), status, words)


@pytest.mark.parametrize(("path", "status", "words"), PAGES)
def test_markers_and_ids(member: Client, path: str, status: int, words: str) -> None:
    _refused(member.raw("GET", path), status, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "n" * 256}, "name"),
        ({"configuration": UUID}, "configuration"),
        ({"replica_of": UUID}, "replica_of"),
        ({"replica_of": None, "configuration": None}, "Only one attribute"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_changes(member: Client, shop: Shop, body: dict[str, Any], words: str) -> None:
    for method in ("PUT", "PATCH"):
        status = 404 if words == "configuration" else 400
        _refused(member.raw(method, shop.path, {"instance": body}), status, words)


def test_the_wrong_project(member: Client, admin: Client) -> None:
    for project in (admin.project, UUID):
        base = member.endpoint.rpartition("/")[0]
        answer = requests.post(
            f"{base}/{project}/instances", json={"instance": GOOD}, headers=member.headers, timeout=30
        )
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (403, "text/html")


def test_more_than_the_quota(member: Client, admin: Client) -> None:
    limits = {"instances": 5, "ram": -1, "volumes": 20}
    path = f"/mgmt/quotas/{member.project}"
    for resource, limit in limits.items():
        admin.ask("PUT", path, {"quotas": {resource: 1}}, status=200)
        _refused(member.raw("POST", "/instances", {"instance": GOOD}), 413, resource)
        admin.ask("PUT", path, {"quotas": {resource: limit}}, status=200)

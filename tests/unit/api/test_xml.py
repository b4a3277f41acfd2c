# SPDX-License-Identifier: Apache-2.0
"""XML on the wire: the same as in JSON, by content type."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from werkzeug.test import TestResponse

from dbflow.api.schemas import backups, instances, operations, quotas, versions
from dbflow.api.schemas.common import Schema
from dbflow.api.xml.read import read
from dbflow.api.xml.write import write
from dbflow.db.models import IdempotencyKey, Instance
from tests.unit.api.world import World

XML = "application/xml"
SPACE = "{http://docs.openstack.org/database/api/v1.0}"
PROBLEM = "{urn:ietf:rfc:7807}"
ACCEPT = {"Accept": XML}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
CREATE = """<?xml version="1.0" encoding="UTF-8"?>
<instance xmlns="http://docs.openstack.org/database/api/v1.0" name="db1" flavorRef="1">
  <volume size="1"/>
  <datastore type="mariadb" version="10.11"/>
  <databases><database name="shop"/></databases>
  <users><user name="ann" password="secret"><databases><database name="shop"/></databases></user></users>
</instance>"""


def ask(world: World, method: str, path: str, document: str | bytes | None = None, **options: Any) -> TestResponse:
    """In XML, both ways."""
    headers = ACCEPT | options.pop("headers", {})
    kind = None if document is None else XML
    return world.ask(method, path, data=document, content_type=kind, headers=headers, **options)


def root(answer: TestResponse) -> ElementTree.Element:
    """Of an answer in XML."""
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8", answer.text
    assert answer.headers["Vary"] == "Accept"
    return ElementTree.fromstring(answer.data)


def fault(answer: TestResponse, status: int, name: str) -> str:
    """The message of a fault in XML."""
    found = root(answer)
    assert (answer.status_code, found.tag, found.get("code")) == (status, f"{SPACE}{name}", str(status))
    return found.get("message") or ""


def test_create_list_show_and_delete(world: World) -> None:
    created = ask(world, "POST", "instances", CREATE)
    shown = read(created.data, instances.INSTANCE)
    instance_id = shown["instance"]["id"]
    assert (created.status_code, root(created).tag, root(created).get("status")) == (200, f"{SPACE}instance", "BUILD")
    assert "rel=" in created.headers["Link"]
    assert shown == world.ask("GET", f"instances/{instance_id}").json
    world.finish(instance_id)
    for path, schema in (
        ("instances", instances.INSTANCES),
        ("instances/detail", instances.INSTANCES_DETAIL),
        (f"instances/{instance_id}", instances.INSTANCE),
        (f"instances/{instance_id}/backups", backups.BACKUPS),
        ("operations", operations.LIST),
        ("mgmt/quotas/p1", quotas.QUOTAS),
    ):
        answer = ask(world, "GET", path)
        root(answer)
        assert read(answer.data, schema) == world.ask("GET", path).json, path
    deleted = ask(world, "DELETE", f"instances/{instance_id}")
    assert (deleted.status_code, deleted.data) == (202, b"")
    assert deleted.headers["Content-Type"] == "application/xml; charset=utf-8"


def test_what_is_asked_for_arrives(world: World) -> None:
    instance_id = world.active()
    for path, document in (
        ("databases", '<databases><database name="depot" character_set="utf8mb4"/></databases>'),
        ("users", '<users><user name="bob" password=" &quot;x&quot; " host="%"/></users>'),
        ("action", '<resize><volume size="2"/></resize>'),
    ):
        answer = ask(world, "POST", f"instances/{instance_id}/{path}", document)
        assert (answer.status_code, answer.data) == (202, b"")
    assert list(world.guests.databases) == ["depot"]
    assert world.guests.users["bob", "%"]["password"] == ' "x" '
    assert world.ask("GET", "instances").json["instances"][0]["status"] == "RESIZE"


def test_pages(world: World) -> None:
    made = [world.created(name=f"db{n}") for n in range(2)]
    page = root(ask(world, "GET", "instances?limit=1"))
    assert [child.tag for child in page] == [f"{SPACE}instance", f"{SPACE}links"]
    link = page.find(f"{SPACE}links/{SPACE}link")
    assert link is not None
    assert link.get("rel") == "next"
    last = root(ask(world, "GET", (link.get("href") or "").partition("localhost")[2]))
    assert {page[0].get("id"), last[0].get("id")} == set(made)
    assert [child.tag for child in last] == [f"{SPACE}instance"]


def test_versions(world: World) -> None:
    for path, schema in (("/", versions.EVERY), ("/v1.0", versions.ONE)):
        answer = ask(world, "GET", path, token=None)
        (version,) = root(answer).iter(f"{SPACE}version")
        assert version.get("id") == "v1.0"
        assert read(answer.data, schema) == world.ask("GET", path, None).json


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json, application/xml", "application/json"),
        ("application/xml, application/json", "application/json"),
        ("application/xml;q=0.5, application/json;q=0.4", XML),
        ("application/xml;q=0.5, application/json", "application/json"),
        ("application/xml, */*", XML),
        ("application/xml;q=0.1, */*", "application/json"),
        ("application/json;q=0, */*", XML),
        ("application/xml;q=0, */*", "application/json"),
        ("APPLICATION/XML; charset=utf-8", XML),
        ("application/problem+xml", XML),
        ("application/problem+json", "application/json"),
        ("application/vnd.openstack.trove+json;version=1.0", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        (BROWSER, XML),
    ],
)
def test_what_is_accepted(world: World, accept: str, wanted: str) -> None:
    answer = world.ask("GET", "flavors", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, wanted)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/xml",
        "image/*",
        "application/yaml, text/plain",
        "application/json;q=0",
        "*/*;q=0",
        "application/vnd.openstack.trove+json;version=2.0",
    ],
)
def test_not_acceptable_and_nothing_done(world: World, accept: str) -> None:
    headers = {"Accept": accept, "Idempotency-Key": "k"}
    answer = world.ask("POST", "instances", data=CREATE, content_type=XML, headers=headers)
    assert (answer.status_code, answer.mimetype) == (406, "application/json")
    message = "Only application/json and application/xml can be answered."
    assert answer.json == {"notAcceptable": {"code": 406, "message": message}}
    assert (world.count(Instance), world.count(IdempotencyKey)) == (0, 0)


def test_json_is_as_it_was(world: World) -> None:
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = world.ask("GET", "flavors/1", headers=headers)
        assert answer.headers["Content-Type"] == "application/json"
        assert "Vary" not in answer.headers
        assert answer.data == json.dumps(answer.json, separators=(",", ":")).encode()


def test_faults(world: World) -> None:
    assert "'name' is a required property" in fault(ask(world, "POST", "instances", "<instance/>"), 400, "badRequest")
    answer = ask(world, "GET", "/v1.0/p1/instances", token=None, headers={"X-Auth-Token": "guessed"})
    assert "requires authentication" in fault(answer, 401, "unauthorized")
    assert "WWW-Authenticate" in answer.headers
    refused = ask(world, "GET", "/v1.0/p2/instances")
    assert fault(refused, 403, "forbidden") == "User with tenant id p1 cannot access this resource."
    assert UUID in fault(ask(world, "GET", f"instances/{UUID}"), 404, "itemNotFound")
    fault(ask(world, "GET", "/nothing", token=None), 404, "itemNotFound")
    fault(ask(world, "DELETE", "instances"), 405, "badMethod")
    large = CREATE.replace("secret", "x" * (2 << 20))
    assert "larger than" in fault(ask(world, "POST", "instances", large), 413, "overLimit")
    answer = world.ask("POST", "instances", data="<a/>", content_type="text/xml", headers=ACCEPT)
    wanted = "Content type text/xml is not supported; send application/json or application/xml."
    assert fault(answer, 415, "badMediaType") == wanted
    building = world.created()
    fault(ask(world, "POST", f"instances/{building}/action", "<restart/>"), 422, "unprocessableEntity")
    fault(ask(world, "GET", f"instances/{building}/databases/d"), 501, "notImplemented")


def test_a_rate_that_is_exceeded(world: World) -> None:
    world.conf.set_override("max_instances_per_tenant", 0, "quota")
    assert "Quota exceeded" in fault(ask(world, "POST", "instances", CREATE), 413, "overLimit")
    for _ in range(400):
        answer = ask(world, "GET", "flavors/1")
        if answer.status_code != 200:
            break
    assert fault(answer, 413, "overLimit") == "This request was rate-limited."
    told = root(answer)
    assert told.get("retryAfter") == answer.headers["Retry-After"]
    assert (told.get("details") or "").startswith("Only ")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ('<instance name=""/>', "Validation error: instance name is too short (at least 1)"),
        ('<instance name="---"/>', "instance name does not match"),
        ('<instance name="a" flavorRef="1"><volume size="0"/></instance>', "volume.size must be at least 1"),
        ('<instance name="a" flavorRef="1"><volume size="x"/></instance>', "instance volume size"),
        ('<instance name="a"><replica_count>x</replica_count></instance>', "replica_count is not of type integer"),
        ('<instance name="a"><access is_public="yes"/></instance>', "instance access is_public is not of type boolean"),
        ("<instance name='a'><users>ann</users></instance>", "instance users is not of type array"),
        ("<instance name='a'><volume>1</volume></instance>", "instance volume is not of type object"),
        ("<instance>db1</instance>", "instance is not of type object"),
        ('<instance name="a"><name>b</name></instance>', "instance name is there twice"),
        ("<instance name='a'>db1</instance>", "instance has text beside elements or attributes"),
        ('<instance name="a"><users><user name="b"/></users></instance>', "instance users 0 'password' is a required"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><instance name="&b;"/>', "entities of its own are not allowed"),
        ("<instance><name></instance>", "mismatched tag: line 1, column 18"),
        ('{"instance": {"name": "db1"}}', "not valid XML"),
        ("", "a request body is required"),
        ("<backup name='a'/>", "Validation error: body 'instance' is a required property"),
    ],
)
def test_bad_input(world: World, document: str, sentence: str) -> None:
    answer = world.ask("POST", "instances", data=document, content_type=XML)
    assert (answer.status_code, set(answer.json)) == (400, {"badRequest"})
    assert sentence in answer.json["badRequest"]["message"]
    assert (world.count(Instance), world.posted) == (0, [])


def test_charsets(world: World) -> None:
    document = '<instance name="café" flavorRef="1"><volume size="1"/></instance>'.encode("iso-8859-1")
    named = world.ask("POST", "instances", data=document, content_type=f"{XML}; charset=ISO-8859-1")
    assert named.json["instance"]["name"] == "café"
    assert "not UTF-8" in world.ask("POST", "instances", data=document, content_type=f"{XML}; charset=utf-8").text
    shown = ask(world, "GET", f"instances/{named.json['instance']['id']}")
    assert root(shown).get("name") == "café"


def test_problems_of_our_own_resources(world: World) -> None:
    answer = ask(world, "GET", f"operations/{UUID}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+xml; charset=utf-8")
    told = ElementTree.fromstring(answer.data)
    assert told.tag == f"{PROBLEM}problem"
    words = {child.tag.removeprefix(PROBLEM): child.text for child in told}
    assert (words["title"], words["status"], words["type"]) == ("Not Found", "404", "about:blank")
    assert UUID in (words["detail"] or "")


def test_what_is_drawn_or_streamed_stays(world: World) -> None:
    instance_id = world.created()
    operation_id = world.instance(instance_id).operation_id
    for accept in ("image/svg+xml,*/*;q=0.1", "image/svg+xml", XML):
        drawn = world.ask("GET", f"operations/{operation_id}/flow?format=svg", headers={"Accept": accept})
        assert (drawn.status_code, drawn.mimetype) == (200, "image/svg+xml")
    graph = read(ask(world, "GET", f"operations/{operation_id}/flow").data, operations.GRAPH)
    assert graph == world.ask("GET", f"operations/{operation_id}/flow").json
    for accept in (XML, "text/event-stream", "text/html"):
        stream = world.ask("GET", f"operations/{operation_id}/events", headers={"Accept": accept})
        assert (stream.status_code, stream.mimetype) == (200, "text/event-stream")
        stream.close()
    assert ask(world, "GET", "/healthcheck", token=None).mimetype == "text/plain"
    assert world.ask("GET", "/console/", None, headers={"Accept": XML}).mimetype == "text/html"


def test_a_head_is_a_get_without_body(world: World) -> None:
    head = ask(world, "HEAD", "flavors")
    assert (head.status_code, head.mimetype, head.data) == (200, XML, b"")


def test_an_answer_kept_for_later(world: World) -> None:
    key = {"Idempotency-Key": "k"}
    first = ask(world, "POST", "instances", CREATE, headers=key)
    again = ask(world, "POST", "instances", CREATE, headers=key)
    assert (again.status_code, again.data, again.headers["Link"]) == (200, first.data, first.headers["Link"])
    plain = ask(world, "POST", "instances", CREATE, headers=key | {"Accept": "application/json"})
    assert plain.json == read(first.data, instances.INSTANCE)
    assert world.count(Instance) == 1


def test_the_document_lists_both(world: World) -> None:
    document = world.ask("GET", "/swagger.json", None, headers=ACCEPT).json
    assert document["consumes"] == document["produces"] == ["application/json", XML]
    paths = document["paths"]
    assert "produces" not in paths["/v1.0/{project}/instances"]["post"]
    problems = ["application/problem+json", "application/problem+xml"]
    assert paths["/v1.0/{project}/operations"]["get"]["produces"] == ["application/json", XML, *problems]
    assert paths["/v1.0/{project}/operations/{operation_id}/events"]["get"]["produces"] == [
        "text/event-stream",
        *problems,
    ]


def test_limits(world: World) -> None:
    seen = read(ask(world, "GET", "limits").data, quotas.LIMITS)["limits"]
    plain = world.ask("GET", "limits").json["limits"]
    assert [one | {"remaining": 0, "nextAvailable": ""} for one in seen] == [
        one | {"remaining": 0, "nextAvailable": ""} for one in plain
    ]
    assert isinstance(seen[0]["max_instances"], int)


def test_any_json_can_be_said(world: World) -> None:
    """What JSON can get wrong, XML can get wrong with the same words."""
    wrong: list[tuple[dict[str, Any], Schema]] = [
        ({"instance": {"name": 5}}, instances.CREATE),
        ({"instance": {"name": "a", "flavorRef": []}}, instances.CREATE),
        ({"instance": {"name": "a", "databases": [{"name": None}]}}, instances.CREATE),
        ({"instance": []}, instances.CREATE),
        ({}, instances.CREATE),
    ]
    for body, schema in wrong:
        in_xml = world.ask("POST", "instances", data=write(body, schema), content_type=XML)
        assert in_xml.status_code == 400
        assert in_xml.json == world.ask("POST", "instances", json=body).json

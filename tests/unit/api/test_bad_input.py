# SPDX-License-Identifier: Apache-2.0
"""What makes no sense: the right 4xx with the field named, nothing made, nothing counted."""

import io
import json

import pytest

from dbflow import quota
from dbflow.db.models import IdempotencyKey, Instance, Operation
from tests.unit.api.world import World

UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
SHOP = [{"name": "shop"}]

BAD_CREATES = [
    ({"name": None}, 400, "Validation error: instance 'name' is a required property"),
    ({"name": ""}, 400, "name"),
    ({"name": "n" * 256}, 400, "name"),
    ({"name": "---"}, 400, "name"),
    ({"name": 5}, 400, "name"),
    ({"name": "a\0b"}, 400, "NUL"),
    ({"flavorRef": None}, 400, "flavorRef"),
    ({"flavorRef": "999"}, 400, "Resource 999 cannot be found."),
    ({"flavorRef": []}, 400, "flavorRef"),
    ({"flavorRef": 10**400}, 400, "flavorRef"),
    ({"volume": None}, 400, "Volume size was not specified."),
    ({"volume": {}}, 400, "Volume size was not specified."),
    ({"volume": {"size": 0}}, 400, "volume size"),
    ({"volume": {"size": -1}}, 400, "volume size"),
    ({"volume": {"size": "0"}}, 400, "volume.size"),
    ({"volume": {"size": "x"}}, 400, "volume size"),
    ({"volume": {"size": 1.5}}, 400, "volume size"),
    ({"volume": {"size": True}}, 400, "volume size"),
    ({"volume": {"size": 11}}, 413, "volume.size"),
    ({"volume": {"size": 10**300}}, 413, "volume.size"),
    ({"volume": 1}, 400, "volume"),
    ({"volume": {"size": 1, "type": 5}}, 400, "volume type"),
    ({"datastore": {"type": "oracle"}}, 404, "oracle"),
    ({"datastore": {"type": "mariadb", "version": "1.0"}}, 400, "1.0"),
    ({"datastore": {"type": "mariadb", "version_number": "1.0"}}, 400, "1.0"),
    ({"datastore": "mariadb"}, 400, "datastore"),
    ({"databases": [*SHOP, *SHOP]}, 400, "databases name: shop is there twice"),
    ({"databases": [{"name": "mysql"}]}, 400, "databases name"),
    ({"databases": [{}]}, 400, "databases 0 'name'"),
    ({"users": [{"name": "root", "password": "x"}]}, 400, "users name"),
    ({"users": [{"name": "app"}]}, 400, "users 0 'password'"),
    ({"users": [{"name": "app", "password": "x", "databases": SHOP}]}, 400, "shop"),
    ({"users": [{"name": "app", "password": "x"}] * 2}, 400, "twice"),
    ({"nics": [{"net-id": UUID}, {"net-id": UUID}]}, 400, "nics"),
    ({"nics": [{"net-id": "x"}]}, 400, "nics 0 net-id"),
    ({"nics": [{"net-id": UUID, "ip_address": "10.30.0.050"}]}, 400, "nics ip_address"),
    ({"nics": [{"net-id": UUID, "ip_address": "999.1.1.1"}]}, 400, "nics ip_address"),
    ({"nics": [{"v4-fixed-ip": "1.2.3.4"}]}, 400, "nics 0"),
    ({"access": {"is_public": "yes"}}, 400, "access is_public"),
    ({"access": {"allowed_cidrs": ["10.0.0.0"]}}, 400, "access allowed_cidrs 0"),
    ({"locality": "nearby"}, 400, "locality"),
    ({"replica_count": 2}, 400, "replica_count"),
    ({"replica_count": 4}, 400, "replica_count"),
    ({"replica_of": UUID}, 404, UUID),
    ({"replica_of": "x"}, 404, "x"),
    ({"restorePoint": {"backupRef": UUID}}, 404, "backupRef"),
    ({"restorePoint": {}}, 400, "backupRef"),
    ({"configuration": UUID}, 404, "configuration"),
    ({"modules": [{"id": UUID}]}, 404, "modules"),
]


def nothing_happened(world: World) -> None:
    assert (world.count(Instance), world.count(Operation), world.posted) == (0, 0, [])
    with world.database.read() as session:
        assert quota.usage(session, "p1") == {"instances": 0, "ram": 0, "volumes": 0, "backups": 0}


@pytest.mark.parametrize(("change", "code", "words"), BAD_CREATES)
def test_a_bad_create(world: World, change: dict[str, object], code: int, words: str) -> None:
    answer = world.create(**change)
    assert answer.status_code == code, answer.text
    (fault,) = answer.json.values()
    assert fault["code"] == code
    assert words in fault["message"]
    nothing_happened(world)


def test_a_replica_of_an_instance_that_is_there(world: World) -> None:
    source = world.active()
    answer = world.create(replica_of=source)
    assert (answer.status_code, "replica_of" in answer.text) == (400, True)
    assert world.create("other", replica_of=source).status_code == 404
    assert world.count(Instance) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"x"',
        b'{"instance": null}',
        b'{"instance": []}',
        b'{"instance": {"name": NaN}}',
        b'{"instance": {"name": "x", "flavorRef": "1", "volume": {"size": -1e999}}}',
        b'{"instance": {"name": "\\ud800"}}',
        b'{"instance": {"name": ' + b"9" * 5000 + b"}}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_a_body_that_is_not_an_instance(world: World, raw: bytes) -> None:
    answer = world.ask("POST", "instances", data=raw, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json) == {"badRequest"}
    nothing_happened(world)


@pytest.mark.parametrize("content_type", ["text/plain", "text/xml", "multipart/form-data; boundary=x"])
def test_another_content_type(world: World, content_type: str) -> None:
    answer = world.ask("POST", "instances", data=b'{"instance": {}}', content_type=content_type)
    assert (answer.status_code, set(answer.json)) == (415, {"badMediaType"})
    nothing_happened(world)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_a_body_of_five_megabytes(world: World, headers: dict[str, str]) -> None:
    body = json.dumps({"instance": {"name": "x" * (5 << 20)}}).encode()
    answer = world.ask("POST", "instances", data=body, content_type="application/json", headers=headers)
    assert (answer.status_code, set(answer.json)) == (413, {"overLimit"})
    nothing_happened(world)
    assert world.count(IdempotencyKey) == 0


def test_a_chunked_body_of_five_megabytes(world: World) -> None:
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    stream = io.BytesIO(b" " * (5 << 20))
    answer = world.ask(
        "POST", "instances", input_stream=stream, content_type="application/json", environ_overrides=environ
    )
    assert (answer.status_code, set(answer.json)) == (413, {"overLimit"})
    assert stream.tell() < 2 << 20


@pytest.mark.parametrize("instance_id", ["x", "%00", "%ff%fe", "a%20b", "9" * 5000, "%F0%9F%92%A9", UUID, UUID.upper()])
def test_no_such_instance(world: World, instance_id: str) -> None:
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"instance": {"name": "n"}})):
        answer = world.ask(method, f"instances/{instance_id}", json=body)
        assert (answer.status_code, set(answer.json)) == (404, {"itemNotFound"})


@pytest.mark.parametrize("path", ["nothing", "instances/x/y/z", "security-groups", "backups%00", "", "//instances"])
def test_unknown_urls(world: World, path: str) -> None:
    answer = world.ask("GET", f"/v1.0/p1/{path}")
    assert (answer.status_code, set(answer.json)) == (404, {"itemNotFound"})


def test_a_method_that_is_not_there(world: World) -> None:
    answer = world.ask("DELETE", "instances")
    assert (answer.status_code, set(answer.json)) == (405, {"badMethod"})
    assert "GET" in answer.headers["Allow"]


def test_an_unexpected_error_tells_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    secret = "-".join(["s3cret", "word"])

    def broken() -> None:
        raise RuntimeError(secret)

    world.flavors.list = broken  # type: ignore[assignment, method-assign]
    answer = world.create()
    assert (answer.status_code, set(answer.json)) == (500, {"instanceFault"})
    assert secret not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text


def test_messages_do_not_repeat_what_may_be_secret(world: World) -> None:
    answer = world.create(users=[{"name": "app", "password": ["s3cret"]}])
    assert (answer.status_code, "s3cret" in answer.text) == (400, False)
    answer = world.create(users={"password": "s3cret"})
    assert (answer.status_code, "s3cret" in answer.text) == (400, False)

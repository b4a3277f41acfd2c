# SPDX-License-Identifier: Apache-2.0
"""Requests made up from the Swagger document: whatever is sent, the server answers as the document says, never 5xx.

The same requests every time, and few enough: each operation gets some that fit its schema and some that do not.
"""

import hashlib
import json
import secrets
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from tests.functional.stack import Client, EmbeddedStack
from tests.functional.stack.inventory import difference
from tests.wire.conftest import Shop

EXAMPLES = 6
"""For each operation and mode."""
PROJECT = "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0"
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
ACCOUNTS = ("/databases", "/users", "/root", "/users/{user}", "/databases/{name}")


@pytest.fixture(scope="module")
def operations(member: Client) -> list[Any]:
    """Everything in the document."""
    document: Any = schemathesis.openapi.from_url(member.endpoint.replace(f"/v1.0/{member.project}", "/swagger.json"))
    document.raw_schema["consumes"] = ["application/json"]  # how our XML is made of a schema is none of Swagger's ways
    found = [result.ok() for result in document.get_all_operations()]
    assert len(found) > 40
    return found


@pytest.fixture(scope="module")
def poor(server: EmbeddedStack, member: Client, admin: Client) -> Iterator[Client]:
    """A member of a project that may have nothing: whatever asks for an instance is refused at the very end."""
    tokens, token = server.state / "tokens.json", secrets.token_urlsafe(32)
    before = tokens.read_text()
    who = {"user": "poor", "user_id": "poor", "project_id": PROJECT, "project_name": "poor", "roles": ["member"]}
    tokens.write_text(json.dumps(json.loads(before) | {hashlib.sha256(token.encode()).hexdigest(): who}))
    admin.ask("PUT", f"/mgmt/quotas/{PROJECT}", {"quotas": {"instances": 0}})
    yield Client(member.endpoint.replace(member.project, PROJECT), token)
    tokens.write_text(before)


def _probe(operation: Any, headers: Mapping[str, str], parameters: Mapping[str, str]) -> Counter[int]:
    """How often which status was answered."""
    seen: Counter[int] = Counter()

    def ask(case: Any) -> None:
        with requests.Session() as session:
            answer = case.call(session=session, headers=dict(headers), timeout=30)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        cases = operation.as_strategy(generation_mode=mode, path_parameters=dict(parameters))
        limited = settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        try:
            limited(given(case=cases)(ask))()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label
    return seen


def test_everything_as_a_member(operations: list[Any], poor: Client, server: EmbeddedStack) -> None:
    before = server.settled_inventory()
    seen: Counter[int] = Counter()
    for operation in operations:
        seen += _probe(operation, poor.headers, {"project": PROJECT})
    assert {200, 400, 404, 413} <= set(seen), seen
    assert difference(before, server.inventory()) == {}


def test_accounts_of_an_instance(operations: list[Any], member: Client, shop: Shop) -> None:
    """Where there is a database server behind the API; what was made is cleared away."""
    kept = {name: member.ask("GET", f"{shop.path}/{name}") for name in ("databases", "users")}
    seen: Counter[int] = Counter()
    for operation in operations:
        if operation.path.partition("{instance_id}")[2] in ACCOUNTS and operation.method.upper() != "DELETE":
            parameters = {"project": member.project, "instance_id": shop.id}
            seen += _probe(operation, member.headers, parameters)
    assert {200, 202, 400, 404} <= set(seen), seen
    for name, before in kept.items():
        _clear(member, f"{shop.path}/{name}", before[name])
    member.raw("DELETE", f"{shop.path}/root")
    assert {name: member.ask("GET", f"{shop.path}/{name}") for name in kept} == kept


def _clear(member: Client, path: str, kept: list[dict[str, Any]]) -> None:
    kind = path.rpartition("/")[2]
    while fresh := [one for one in member.ask("GET", path)[kind] if one not in kept]:
        for one in fresh:
            name = f"{one['name']}@{one['host']}" if "host" in one else one["name"]
            member.ask("DELETE", f"{path}/{urllib.parse.quote(name, safe='')}", status=202)


def test_everything_without_a_token(operations: list[Any], member: Client) -> None:
    seen: Counter[int] = Counter()
    for operation in operations:
        seen += _probe(operation, {"X-Auth-Token": "guessed"}, {"project": member.project})
    assert set(seen) <= {400, 401, 404, 405, 413, 415}, seen
    assert seen[401] > seen.total() * 0.8

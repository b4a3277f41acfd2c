# SPDX-License-Identifier: Apache-2.0
"""Every body that the API takes in JSON does the same in XML."""

import re
from typing import Any

import pytest

from dbflow.api.schemas.common import Schema
from dbflow.api.xml.write import write
from dbflow.db.models import Operation
from tests.unit.api.estate import Estate, Point, Request, rows, taken
from tests.unit.api.world import World

pytestmark = pytest.mark.usefixtures("impatient")

ANY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|gAAAAA[\w=-]+|\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d|datetime\([\d, ]+")
"""What no two requests have in common: ids, what is sealed, and times."""
REFUSED = {"promote_to_replica_source": 400, "eject_replica_source": 400, "renew-certificate": 400}
"""Verbs that the estate's instance can't do; it has no replicas and no certificate."""


def test_every_body_in_xml(world: World) -> None:
    estate = Estate(world)
    point, sent = Point(world), set()
    schemas = {
        (method, str(rule)): taken(world, method, rule)
        for rule in world.app.url_map.iter_rules()
        if "project" in rule.arguments
        for method in rule.methods or ()
        if hasattr(world.app.view_functions[rule.endpoint].view_class, method.lower())
    }
    for request in estate.requests():
        schema = schemas[request.method, request.rule]
        if schema is None:
            continue
        in_json, in_xml = _done(world, point, request, None), _done(world, point, request, schema)
        refused = REFUSED.get(next(iter(request.body)))
        assert in_json[0] == refused or (refused is None and in_json[0] < 300), (request, in_json[1])
        assert in_xml == in_json, request
        sent.add((request.method, request.rule))
    assert sent == {route for route, schema in schemas.items() if schema is not None}


def _done(world: World, point: Point, request: Request, schema: Schema | None) -> tuple[Any, ...]:
    """Status, answer, what is recorded, what is asked of a conductor and of a guest."""
    world.guests.calls.clear()
    sent: dict[str, Any] = {"json": request.body}
    if schema is not None:
        sent = {"data": write(request.body, schema), "content_type": "application/xml"}
    token = "admin" if "/mgmt/" in request.rule or request.body == {"reset_status": {}} else "owner"
    answer = world.ask(request.method, request.path, token, **sent)
    recorded = {table: sorted(_plain(row) for row in found) for table, found in rows(world).items()}
    with world.database.read() as session:
        newest = session.query(Operation).order_by(Operation.created.desc()).first()
        asked = newest.kind, _plain(world.keyring.unseal(newest.arguments))
    tasks = [task for _, task in world.guests.calls]
    point.restore()
    return answer.status_code, _plain(answer.text), recorded, asked, tasks


def _plain(value: Any) -> str:
    return ANY.sub("", str(value))

# SPDX-License-Identifier: Apache-2.0
"""Configuration groups as their users ask for them."""

from typing import Any

from dbflow.db.models import Configuration, Operation
from tests.unit.api.world import World

VALUES = {"max_connections": 200, "back_log": 90, "autocommit": True, "sql_mode": "ANSI", "long_query_time": 0.5}
UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"


def make(world: World, token: str = "owner", **changes: Any) -> Any:
    wanted = {"name": "busy", "values": VALUES, "datastore": {"type": "mariadb", "version": "10.11"}} | changes
    return world.ask("POST", "configurations", token, json={"configuration": wanted})


def made(world: World, **changes: Any) -> str:
    answer = make(world, **changes)
    assert answer.status_code == 200, answer.text
    group_id: str = answer.json["configuration"]["id"]
    return group_id


def put(world: World, instance_id: str, body: dict[str, Any], method: str = "PUT") -> Any:
    return world.ask(method, f"instances/{instance_id}", json={"instance": body})


def attach(world: World, instance_id: str, group_id: str | None) -> Any:
    return put(world, instance_id, {"configuration": group_id})


def change(world: World, method: str, group_id: str, **wanted: Any) -> Any:
    return world.ask(method, f"configurations/{group_id}", json={"configuration": wanted})


def row(world: World, group_id: str) -> Configuration:
    with world.database.read() as session:
        return session.get_one(Configuration, group_id)


def newest(world: World, kind: str) -> Operation:
    with world.database.read() as session:
        return session.query(Operation).filter_by(kind=kind).order_by(Operation.created.desc()).first()

# SPDX-License-Identifier: Apache-2.0
"""Nobody reaches the engine's or dbflow's own accounts through the API, and no guest is asked about them."""

from typing import Any

import pytest

from tests.unit.api.world import World

NAMES = ["dbflow_admin", "DBFlow_Admin", "mariadb.sys", "root"]
FIELD = "Validation error: user{} name: The user name "
REQUESTS: list[tuple[str, str, Any, int]] = [
    ("POST", "users", {"users": [{"name": "NAME", "password": "x"}]}, 400),
    ("POST", "users", {"users": [{"name": "NAME", "password": "x", "host": "localhost"}]}, 400),
    ("PUT", "users", {"users": [{"name": "NAME", "password": "x", "host": "localhost"}]}, 400),
    ("PUT", "users/app", {"user": {"name": "NAME"}}, 400),
    ("GET", "users/NAME@localhost", None, 404),
    ("PUT", "users/NAME@localhost", {"user": {"password": "x"}}, 404),
    ("PUT", "users/NAME@localhost", {"user": {"name": "mine"}}, 404),
    ("PUT", "users/NAME@localhost", {"user": {"host": "%"}}, 404),
    ("DELETE", "users/NAME@localhost", None, 404),
    ("DELETE", "users/NAME", None, 404),
    ("GET", "users/NAME@localhost/databases", None, 404),
    ("PUT", "users/NAME@localhost/databases", {"databases": [{"name": "d"}]}, 404),
    ("DELETE", "users/NAME@localhost/databases/d", None, 404),
]


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _named(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return [_named(one, name) for one in value]
    return value.replace("NAME", name) if isinstance(value, str) else value


@pytest.mark.parametrize("name", NAMES)
def test_refused_and_the_field_named(world: World, name: str) -> None:
    path = f"instances/{world.active()}"
    for method, rest, body, status in REQUESTS:
        answer = world.ask(method, f"{path}/{_named(rest, name)}", json=_named(body, name))
        assert answer.status_code == status, (method, rest, answer.text)
        ((_, fault),) = answer.json.items()
        plural = "s" if rest == "users" else ""
        wanted = f'{FIELD.format(plural)}"{name}" is reserved.' if status == 400 else f"User {name}@"
        assert fault["message"].startswith(wanted), (method, rest, answer.text)
    assert world.guests.calls == []


@pytest.mark.parametrize("name", NAMES)
def test_not_made_with_an_instance_either(world: World, name: str) -> None:
    answer = world.create(users=[{"name": name, "password": "x"}])
    assert (answer.status_code, "users name" in answer.text) == (400, True)

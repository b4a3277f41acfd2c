# SPDX-License-Identifier: Apache-2.0
"""Every action of which the operator's guide says that it is told of is: its start, its end, and its failure."""

import pathlib
import re
from typing import Any

import pytest

from dbflow.db.models import Operation
from dbflow.notifications.endings import tell
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State
from tests.unit.api.configurations import made as group
from tests.unit.api.estate import Estate, Point
from tests.unit.api.test_notifications import MARIADB, PASSWORD, told
from tests.unit.api.test_replication import made as replicas
from tests.unit.api.test_replication import silence
from tests.unit.api.world import World

pytestmark = pytest.mark.usefixtures("impatient")

GUIDE = pathlib.Path(__file__).parents[3] / "doc" / "source" / "operator.rst"
ONE, ACT, MGMT = "instances/{instance_id}", "instances/{instance_id}/action", "mgmt/instances/{instance_id}/action"
NEW = {"name": "db2", "flavorRef": "1", "volume": {"size": 1}}
USER = {"name": "bob", "password": PASSWORD}
GROUP, VALUES = "configurations/{configuration}", {"values": {"back_log": 90}}
CODE = "bWVzc2FnZT1oZWxsbw=="
OF = {"instance_id": "{instance_id}"}
CASES: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "instance_create": ("POST", "instances", {"instance": NEW}, {"name": "db2", "flavor_id": "1", "volume_size": 1}),
    "instance_delete": ("DELETE", ONE, None, OF),
    "instance_restart": ("POST", ACT, {"restart": {}}, OF),
    "instance_reboot": ("POST", MGMT, {"reboot": {}}, OF),
    "instance_resize_instance": ("POST", ACT, {"resize": {"flavorRef": "2"}}, OF | {"new_flavor_id": "2"}),
    "instance_resize_volume": ("POST", ACT, {"resize": {"volume": {"size": 3}}}, OF | {"new_size": 3}),
    "instance_promote": (
        "POST", "instances/{replica}/action", {"promote_to_replica_source": {}}, {"instance_id": "{replica}"}
    ),
    "instance_eject": ("POST", "instances/{dead}/action", {"eject_replica_source": {}}, {"instance_id": "{dead}"}),
    "instance_detach": (
        "PUT", "instances/{replica}", {"instance": {"replica_of": None}}, {"instance_id": "{replica}"}
    ),
    "instance_ssl": ("POST", f"{ONE}/ssl", {"ssl": {"disable": True}}, OF),
    "instance_reset_status": ("POST", ACT, {"reset_status": {}}, OF),
    "upgrade": ("PATCH", ONE, {"instance": {"datastore_version": "11.8"}}, OF | {"datastore_version_id": "{newer}"}),
    "migrate": ("POST", MGMT, {"migrate": {"host": "two"}}, OF | {"host": "two"}),
    "instance_attach_configuration": (
        "PUT", ONE, {"instance": {"configuration": "{configuration}"}}, OF | {"configuration_id": "{configuration}"}
    ),
    "instance_detach_configuration": (
        "PUT", "instances/{with_group}", {"instance": {"configuration": None}}, {"instance_id": "{with_group}"}
    ),
    "instance_module_apply": (
        "POST", f"{ONE}/modules", {"modules": [{"id": "{module_id}"}]}, OF | {"module_ids": ["{module_id}"]}
    ),
    "instance_module_remove": ("DELETE", ONE + "/modules/{module_id}", None, OF | {"module_id": "{module_id}"}),
    "module_create": (
        "POST", "modules", {"module": {"name": "m", "module_type": "ping", "contents": CODE}}, {"name": "m"}
    ),
    "module_update": ("PUT", "modules/{module_id}", {"module": {"live_update": 1}}, {"module_id": "{module_id}"}),
    "module_delete": ("DELETE", "modules/{unused}", None, {"module_id": "{unused}"}),
    "module_reapply": ("PUT", "modules/{module_id}/instances", {"reapply": {}}, {"module_id": "{module_id}"}),
    "configuration_create": (
        "POST", "configurations", {"configuration": VALUES | {"name": "g"}},
        {"name": "g", "datastore": "mariadb", "datastore_version": "10.11"},
    ),
    "configuration_edit": ("PATCH", GROUP, {"configuration": VALUES}, {"configuration_id": "{configuration}"}),
    "configuration_update": (
        "PUT", GROUP, {"configuration": VALUES | {"name": "g"}},
        {"configuration_id": "{configuration}", "name": "g", "description": None},
    ),
    "configuration_delete": ("DELETE", GROUP, None, {"configuration_id": "{configuration}"}),
    "backup_create": (
        "POST", "backups", {"backup": {"name": "b", "instance": "{instance_id}"}},
        OF | {"name": "b", "description": None, "parent_id": None},
    ),
    "backup_delete": ("DELETE", "backups/{backup_id}", None, {"backup_id": "{backup_id}"}),
    "database_create": ("POST", f"{ONE}/databases", {"databases": [{"name": "a"}]}, OF | {"dbname": "a"}),
    "database_delete": ("DELETE", f"{ONE}/databases/owned-shop", None, OF | {"dbname": "owned-shop"}),
    "user_create": ("POST", f"{ONE}/users", {"users": [USER]}, OF | {"username": "bob"}),
    "user_delete": ("DELETE", f"{ONE}/users/owned-ann", None, OF | {"username": "owned-ann"}),
    "user_update_attributes": (
        "PUT", f"{ONE}/users/owned-ann", {"user": {"password": PASSWORD}}, OF | {"username": "owned-ann"}
    ),
    "user_change_password": (
        "PUT", f"{ONE}/users", {"users": [USER | {"name": "owned-ann"}]}, OF | {"username": "owned-ann"}
    ),
    "user_grant": (
        "PUT", f"{ONE}/users/owned-ann/databases", {"databases": [{"name": "owned-shop"}]},
        OF | {"username": "owned-ann", "database": "owned-shop"},
    ),
    "user_revoke": (
        "DELETE", f"{ONE}/users/owned-ann/databases/owned-shop", None,
        OF | {"username": "owned-ann", "database": "owned-shop"},
    ),
}  # fmt: skip
"""Action -> method, path, body, and what its events tell; words in braces are ids."""


def _with(ids: dict[str, Any], value: Any) -> Any:
    """With ids for the words in braces."""
    if isinstance(value, dict):
        return {key: _with(ids, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with(ids, item) for item in value]
    return value.format(**ids) if isinstance(value, str) else value


def _documented() -> set[str]:
    """As the guide lists them."""
    (words,) = re.findall(r"^ACTION is (.*?)The payloads", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    return set(re.findall(r"``(\w+)``", words))


@pytest.fixture
def ids(world: World) -> dict[str, Any]:
    estate = Estate(world)
    alive, dead, with_group = world.active(), world.active(), world.active()
    (replica,), _ = replicas(world, alive), replicas(world, dead)
    silence(world, dead)
    world.guests.silent.add(dead)
    attach = {"instance": {"configuration": group(world, name="attached")}}
    unused = {"module": {"name": "unused", "module_type": "ping", "contents": CODE}}
    world.ask("PUT", f"instances/{with_group}", json=attach)
    world.finish(with_group)
    more = {"dead": dead, "replica": replica, "with_group": with_group, "newer": estate.newer}
    return estate.ids | more | {"unused": world.ask("POST", "modules", json=unused).json["module"]["id"]}


def _end(world: World) -> None:
    """Tell of the newest operation that it has succeeded, and that it has failed."""
    with world.database.write() as session:
        operation = session.query(Operation).filter(Operation.notice.is_not(None)).one()
        arguments = world.keyring.unseal(operation.arguments)
        for state, error in ((State.SUCCESS, None), (State.REVERTED, "no room")):
            tell(world.services.outbox, session, operation, arguments, state, error)


def test_every_action(world: World, ids: dict[str, Any]) -> None:
    assert set(CASES) == _documented()
    world.services.outbox = Outbox(True, "here", {"mariadb": MARIADB})
    point = Point(world)
    for action, (method, path, body, wanted) in CASES.items():
        token = "admin" if path == MGMT or "reset_status" in (body or {}) else "owner"
        answer = world.ask(method, _with(ids, path), token, json=_with(ids, body))
        assert answer.status_code < 300, (action, answer.text)
        (event, start), *ended = told(world.database)
        assert event == f"dbaas.{action}.start"
        common = {"tenant_id", "client_ip", "server_ip", "server_type", "request_id"}
        assert common <= start.keys(), action
        assert start.items() >= _with(ids, wanted).items(), (action, start)
        if not ended:
            _end(world)
            ended = [(event, payload) for event, payload in told(world.database) if event.startswith("dbaas.")]
            event, failed = ended.pop()
            assert event == f"dbaas.{action}.error"
            assert failed.items() >= {**start, "message": "no room", "server_type": "taskmanager"}.items()
        ((event, end),) = ended
        assert event == f"dbaas.{action}.end"
        assert end.items() >= {**start, "server_type": end["server_type"]}.items(), action
        point.restore()

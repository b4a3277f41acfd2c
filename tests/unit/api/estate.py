# SPDX-License-Identifier: Apache-2.0
"""One of everything in project p1, and every route of the API with it: from the URL map, so that none is forgotten."""

import base64
import copy
import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from werkzeug.routing import Rule

from dbflow.api import docs
from dbflow.api.schemas.common import Schema
from dbflow.db.models import Base, Conductor, InstanceModule, RootHistory, utcnow
from dbflow.services.seed import ensure_datastore
from dbflow.services.verbs import RULES
from tests.unit.api.configurations import made as group
from tests.unit.api.test_backups import completed
from tests.unit.api.world import World

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
OWNED = frozenset({"instance_id", "backup_id", "configuration", "module_id", "operation_id", "project_id"})
"""Arguments of URLs that stand for what belongs to a project."""
SHARED = frozenset({"datastore", "version", "version_id", "flavor_id", "name", "user", "database", "verb"})
"""The others: what is everybody's, or is only known with what comes before it in the URL."""
HELLO = base64.b64encode(b"message=hello").decode()
LOG = {"name": "general", "type": "USER", "status": "Ready", "published": 0, "pending": 12}
ACTIONS = [
    {"restart": {}},
    {"resize": {"flavorRef": "2"}},
    {"resize": {"volume": {"size": 2}}},
    {"promote_to_replica_source": {}},
    {"eject_replica_source": {}},
    {"reset_status": {}},
    {"reset_status": {"force_delete": True}},
]
"""Bodies of an instance's actions, one of each rule."""
GROUP = {"values": {"max_connections": 100}}


@dataclasses.dataclass(frozen=True)
class Request:
    """One to a route: with what its URL has, and the body."""

    method: str
    rule: str
    path: str
    body: Any

    @property
    def arguments(self) -> set[str]:
        """Of the URL, but the project."""
        return set(re.findall(r"<(?:[^<>]*:)?(\w+)>", self.rule)) - {"project"}


class Estate:
    """What the project has: ``ids`` by the names that they have in URLs."""

    def __init__(self, world: World) -> None:
        self.world = world
        for verb in ("get", "post", "put", "delete", "mgmt_post"):
            world.conf.set_override(f"http_{verb}_rate", 100_000, "api")
        instance_id = world.active(name="owned-db")
        world.guests.AddDatabases([{"name": "owned-shop"}])
        user = {"name": "owned-ann", "host": "%", "password": "secret", "databases": ["owned-shop"]}
        world.guests.AddUsers([user])
        module = {"name": "owned-module", "module_type": "ping", "contents": HELLO}
        for task, told in {
            "ListLogs": [LOG],
            "EnableLog": LOG,
            "Diagnostics": {"version": "1"},
            "Hardware": {"num_cpus": 2},
        }.items():
            setattr(world.guests, task, lambda told=told, **_: told)
        with world.database.write() as session:
            session.add(RootHistory(instance_id=instance_id, user_id="u1"))
            session.add(Conductor(name="conductor-1", host="h", pid=1, version="1", started=utcnow(), seen=utcnow()))
        self.ids = {
            "instance_id": instance_id,
            "backup_id": completed(world, instance_id, name="owned-backup"),
            "configuration": group(world, name="owned-group"),
            "module_id": world.ask("POST", "modules", json={"module": module}).json["module"]["id"],
            "operation_id": world.operation(world.posted[0]).id,
            "project_id": "p1",
            "datastore": "mariadb",
            "version": world.version_id,
            "version_id": world.version_id,
            "flavor_id": "1",
            "user": "owned-ann",
            "database": "owned-shop",
        }
        with world.database.write() as session:
            session.add(InstanceModule(instance_id=instance_id, module_id=self.ids["module_id"], md5="0" * 32))
        strategy = {"backup_strategy": {"swift_container": "owned-container"}}
        assert world.ask("POST", "backup_strategies", json=strategy).status_code == 202
        self.newer = ensure_datastore(world.database, "mariadb", "11.8", "11.8.6", "mariadb", "img-2", default=False)
        self._bodies = self._all_bodies()

    def requests(self, **others: str) -> Iterator[Request]:
        """To every route with every method; ``others`` are ids to take instead of the project's own."""
        rules = [rule for rule in self.world.app.url_map.iter_rules() if "project" in rule.arguments]
        for rule in sorted(rules, key=str):
            for verb in RULES if "verb" in rule.arguments else ["x"]:
                for method in sorted((rule.methods or set()) & METHODS):
                    for body in self.bodies(method, rule):
                        yield Request(method, str(rule), self._path(rule, verb, others), body)

    def bodies(self, method: str, rule: Rule) -> list[Any]:
        """Right ones. A route that takes a body and is not in the list is a KeyError."""
        return [None] if taken(self.world, method, rule) is None else self._bodies[method, below(str(rule))]

    def _path(self, rule: Rule, verb: str, others: dict[str, str]) -> str:
        """Below the token's project."""
        names = {"/conductors/": "conductor-1", "/databases/": "owned-shop", "/parameters/": "max_connections"}
        name = next((value for part, value in names.items() if part in str(rule)), "")
        values = self.ids | others | {"project": "PROJECT", "verb": verb, "name": name}
        adapter = self.world.app.url_map.bind("localhost")
        built = adapter.build(rule.endpoint, {key: values[key] for key in rule.arguments})
        return built.partition("PROJECT/")[2]

    def _all_bodies(self) -> dict[tuple[str, str], list[Any]]:
        instance, ids = "instances/<instance_id>", self.ids
        new = {"name": "db2", "flavorRef": "1", "volume": {"size": 1}}
        shop, bob = {"name": "depot"}, {"name": "bob", "password": " x ", "host": "%"}
        number = {"restart_required": 0, "data_type": "integer", "max_size": 9, "min_size": 1}
        version = {"datastore_name": "mariadb", "datastore_manager": "mariadb", "active": True, "image": "img-2"}
        changes: list[Any] = [
            {"instance": one}
            for one in (
                {"name": "owned-db"},
                {"configuration": ids["configuration"]},
                {"access": {"is_public": True, "allowed_cidrs": ["10.0.0.0/8"]}},
                {"datastore_version": "11.8"},
            )
        ]
        return {
            ("POST", "backup_strategies"): [{"backup_strategy": {"swift_container": "mine"}}],
            ("POST", "backups"): [{"backup": {"name": "b", "instance": ids["instance_id"], "incremental": 1}}],
            ("POST", "configurations"): [{"configuration": GROUP | {"name": "calm"}}],
            ("PATCH", "configurations/<configuration>"): [{"configuration": GROUP}],
            ("PUT", "configurations/<configuration>"): [{"configuration": GROUP | {"name": "calm"}}],
            ("POST", "instances"): [{"instance": new | {"databases": [shop], "users": [bob | {"databases": [shop]}]}}],
            ("PATCH", instance): changes,
            ("PUT", instance): changes[:2],
            ("POST", f"{instance}/action"): ACTIONS,
            ("POST", f"{instance}/databases"): [{"databases": [shop]}, {"database": shop}],
            ("POST", f"{instance}/log"): [{"name": "general"}, {"name": "general", "enable": 1}],
            ("POST", f"{instance}/modules"): [{"modules": [{"id": ids["module_id"]}]}],
            ("POST", f"{instance}/root"): [{"password": "secret"}],
            ("POST", f"{instance}/ssl"): [{"ssl": {"disable": True}}],
            ("POST", f"{instance}/users"): [{"users": [bob]}],
            ("PUT", f"{instance}/users"): [{"users": [bob | {"name": "owned-ann"}]}],
            ("POST", f"{instance}/users/<path:user>"): [{"users": bob}],
            ("PUT", f"{instance}/users/<path:user>"): [{"user": {"password": "other"}}],
            ("PUT", f"{instance}/users/<path:user>/databases"): [{"databases": [{"name": "owned-shop"}]}],
            ("PUT", "mgmt/conductors/<name>"): [{"conductor": {"draining": True}}],
            ("POST", "mgmt/datastore-versions"): [{"version": version | {"name": "12", "version": "12.0"}}],
            ("PATCH", "mgmt/datastore-versions/<version_id>"): [{"image_tags": ["mariadb", "x"], "active": False}],
            ("POST", "mgmt/datastores/versions/<version>/parameters"): [
                {"configuration-parameter": number | {"name": "our_own"}}
            ],
            ("PUT", "mgmt/datastores/versions/<version>/parameters/<name>"): [{"configuration-parameter": number}],
            ("POST", f"mgmt/{instance}/action"): [
                {"stop": {}},
                {"reboot": {}},
                {"rebuild": {"image_id": "img-3"}},
                {"migrate": {"host": "two"}},
                {"renew-certificate": {}},
                {"reset-task-status": {}},
            ],
            ("PUT", "mgmt/quotas/<project_id>"): [{"quotas": {"instances": 7}}],
            ("POST", "modules"): [{"module": {"name": "second", "module_type": "ping", "contents": HELLO}}],
            ("PUT", "modules/<module_id>"): [{"module": {"name": "renamed", "live_update": 1}}],
            ("PUT", "modules/<module_id>/instances"): [{"reapply": {"force": 1}}],
        }


def below(rule: str) -> str:
    """What a rule of the URL map has after the project."""
    return rule.partition("<project>/")[2]


def taken(world: World, method: str, rule: Rule) -> Schema | None:
    """Schema of the body that a route takes; None for none."""
    view: Any = world.app.view_functions[rule.endpoint]
    about = docs.about(getattr(view.view_class, method.lower()))
    return about.takes if about else None


def rows(world: World) -> dict[str, list[str]]:
    """All that is recorded."""
    with world.database.read() as session:
        tables = {table.name: session.execute(sa.select(table)) for table in Base.metadata.sorted_tables}
        return {name: sorted(repr(tuple(row)) for row in found) for name, found in tables.items()}


class Point:
    """The world's database, and what its guests have, as they are now, to come back to."""

    def __init__(self, world: World) -> None:
        self._world, self._kept = world, sqlite3.connect(":memory:")
        self._guest = copy.deepcopy((world.guests.databases, world.guests.users))
        self._copy(self._kept, back=False)

    def restore(self) -> None:
        """As it was."""
        self._world.guests.databases, self._world.guests.users = copy.deepcopy(self._guest)
        self._copy(self._kept, back=True)

    def _copy(self, kept: sqlite3.Connection, back: bool) -> None:
        with self._world.database.engine.connect() as connection:
            own: Any = connection.connection.driver_connection
            kept.backup(own) if back else own.backup(kept)

# SPDX-License-Identifier: Apache-2.0
"""The API on a real SQLite file, with a cloud, guests and a board made of lists."""

import functools
import pathlib
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from werkzeug.test import TestResponse

from dbflow import conf as options
from dbflow import objectstore
from dbflow.api.app import create_app
from dbflow.api.auth import TokenFileAuth
from dbflow.cloud.base import CloudError, Flavor, Flavors, Image, Images, NotFound, Server, Wish
from dbflow.crypto import Keyring
from dbflow.db.models import Base, Health, Instance, Operation, utcnow
from dbflow.db.session import Database
from dbflow.jobboard import JobView
from dbflow.messaging.errors import GuestRefused, GuestUnreachable
from dbflow.operations import State
from dbflow.services.context import Services
from dbflow.services.flavors import FlavorCache
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task

TOKENS = {
    "owner": {"user_id": "u1", "project_id": "p1", "roles": ["member", "reader"]},
    "reader": {"user_id": "u2", "project_id": "p1", "roles": ["reader"]},
    "legacy": {"user_id": "u3", "project_id": "p1", "roles": ["swiftoperator"]},
    "other": {"user_id": "u4", "project_id": "p2", "roles": ["member"]},
    "admin": {"user_id": "u5", "project_id": "padmin", "roles": ["admin"]},
}


OWNER = {"X-Auth-Token": "owner"}
BODY = {"instance": {"name": "db1", "flavorRef": "1", "volume": {"size": 1}}}


class FakeFlavors(Flavors):
    """Three sizes at first; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.away = 0, False
        self.offered = [Flavor("1", "small", 256, 1), Flavor("2", "medium", 512, 1), Flavor("big", "big", 4096, 4)]

    def list(self) -> list[Flavor]:
        self.asked += 1
        if self.away:
            raise CloudError("away")
        return [*self.offered]

    def get(self, flavor_id: str) -> Flavor:
        raise AssertionError("the list is enough")


class FakeImages(Images):
    """Some that are there."""

    there = {
        "img-2": Image("img-2", "second", frozenset({"mariadb", "x"})),
        "img-3": Image("img-3", "third", frozenset({"mariadb"})),
    }

    def get(self, image_id: str) -> Image:
        if image_id not in self.there:
            raise NotFound(f"Image {image_id[:80]!r} cannot be found.")
        return self.there[image_id]

    def tagged(self, tags: Sequence[str]) -> Image:
        for image in self.there.values():
            if image.tags >= set(tags):
                return image
        raise NotFound(f"An image with the tags {', '.join(tags)} cannot be found.")


class FakeMachines:
    """Every server is on host ``one`` of two."""

    def __init__(self) -> None:
        self.names = ["one", "two"]
        self.gone: set[str] = set()
        self.silent = False

    def hosts(self) -> list[str]:
        if self.silent:
            raise CloudError("silent")
        return self.names

    def get(self, instance_id: str) -> Server:
        if self.silent:
            raise CloudError("silent")
        if instance_id in self.gone:
            raise NotFound("gone")
        return Server(f"server of {instance_id}", "its name", "ACTIVE", "1", host="one")

    def several(self, instance_ids: Sequence[str]) -> dict[str, Server]:
        return {one: self.get(one) for one in instance_ids if one not in self.gone}


class FakeGuests:
    """A database server made of dictionaries, spoken to as the real one is."""

    def __init__(self) -> None:
        self.databases: dict[str, dict[str, Any]] = {}
        self.users: dict[tuple[str, str], dict[str, Any]] = {}
        self.root: str | None = None
        self.calls: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.silent: set[str] = set()

    def call(self, instance_id: str, task: str, arguments: Mapping[str, Any], timeout: float) -> Any:
        name = task.rpartition(".")[2]
        self.calls.append((instance_id, name))
        if self.error is not None:
            raise self.error
        if instance_id in self.silent:
            raise GuestUnreachable("silent")
        return getattr(self, name)(**arguments)

    def Ping(self) -> str:  # noqa: N802
        return "here"

    @staticmethod
    def _refuse(kind: str, message: str) -> GuestRefused:
        return GuestRefused(message, (kind, "DatastoreError", "Exception"))

    def ListDatabases(self) -> list[dict[str, Any]]:  # noqa: N802
        return list(self.databases.values())

    def AddDatabases(self, databases: list[dict[str, Any]]) -> None:  # noqa: N802
        for database in databases:
            if database["name"] in self.databases:
                raise self._refuse("AlreadyExists", f'A database with the name "{database["name"]}" already exists.')
        self.databases |= {database["name"]: database for database in databases}

    def DeleteDatabase(self, name: str) -> None:  # noqa: N802
        if self.databases.pop(name, None) is None:
            raise self._refuse("NotFound", "no such database")

    def ListUsers(self) -> list[dict[str, Any]]:  # noqa: N802
        return [{key: user[key] for key in ("name", "host", "databases")} for user in self.users.values()]

    def _user(self, name: str, host: str) -> dict[str, Any]:
        if (name, host) not in self.users:
            raise self._refuse("NotFound", "no such user")
        return self.users[name, host]

    def GetUser(self, name: str, host: str) -> dict[str, Any]:  # noqa: N802
        user = self._user(name, host)
        return {key: user[key] for key in ("name", "host", "databases")}

    def AddUsers(self, users: list[dict[str, Any]]) -> None:  # noqa: N802
        for user in users:
            if (user["name"], user["host"]) in self.users:
                raise self._refuse("AlreadyExists", f'A user with the name "{user["name"]}" already exists.')
        self.users |= {(user["name"], user["host"]): dict(user) for user in users}

    def SetPasswords(self, users: list[dict[str, Any]]) -> None:  # noqa: N802
        for user in users:
            self._user(user["name"], user["host"])["password"] = user["password"]

    def UpdateUser(  # noqa: N802
        self, name: str, host: str, new_name: str | None, new_host: str | None, password: str | None
    ) -> None:
        user = self._user(name, host)
        del self.users[name, host]
        user |= {"name": new_name or name, "host": new_host or host, "password": password or user["password"]}
        self.users[user["name"], user["host"]] = user

    def DeleteUser(self, name: str, host: str) -> None:  # noqa: N802
        self._user(name, host)
        del self.users[name, host]

    def Grant(self, name: str, host: str, databases: list[str]) -> None:  # noqa: N802
        user = self._user(name, host)
        for database in databases:
            if database not in self.databases:
                raise self._refuse("NotFound", f"Database {database} cannot be found on the instance.")
        user["databases"] = sorted({*user["databases"], *databases})

    def Revoke(self, name: str, host: str, database: str) -> None:  # noqa: N802
        user = self._user(name, host)
        if database not in user["databases"]:
            raise self._refuse("NotFound", "no such grant")
        user["databases"].remove(database)

    def EnableRoot(self, password: str) -> str:  # noqa: N802
        self.root = password
        return "root"

    def DisableRoot(self) -> None:  # noqa: N802
        self.root = None

    def ListModules(self) -> list[dict[str, Any]]:  # noqa: N802
        return []

    def RootEnabled(self) -> bool:  # noqa: N802
        return self.root is not None


def _stock(database: Database) -> str:
    """Make the tables and one version of MariaDB; the version's id."""
    Base.metadata.create_all(database.engine)
    return ensure_datastore(database, "mariadb", "10.11", "10.11.14", "mariadb", None)


@functools.cache
def _stocked() -> tuple[bytes, str]:
    """A file of SQLite with that in it, which is quickly copied, and the version's id."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/dbflow.sqlite")
        version_id = _stock(database)
        database.close()
        return pathlib.Path(directory, "dbflow.sqlite").read_bytes(), version_id


class World:
    """One API with everything behind it."""

    def __init__(self, directory: pathlib.Path, url: str | None = None) -> None:
        self.conf = options.register(cfg.ConfigOpts())
        self.conf([], default_config_files=[])
        self.conf.set_override("event_interval", 0.02, "api")
        if url is None:
            content, self.version_id = _stocked()
            (directory / "dbflow.sqlite").write_bytes(content)
        self.database = Database(url or f"sqlite:///{directory}/dbflow.sqlite")
        if url is not None:
            self.version_id = _stock(self.database)
        self.keyring = Keyring([Fernet.generate_key()])
        self.flavors, self.guests, self.machines = FakeFlavors(), FakeGuests(), FakeMachines()
        self.conf.set_override("directory", f"{directory}/objects", "object_store")
        self.objects = objectstore.load(self.conf)
        self.posted: list[str] = []
        self.jobs: list[JobView] = []
        self.wishes: list[Wish] = []
        self.ungranted: CloudError | None = None
        """What the cloud raises of wishes."""
        self.services = Services(
            self.conf,
            self.database,
            self.keyring,
            FlavorCache(self.flavors),
            FakeImages(),
            self.machines,
            self.guests,
            self.objects,
            lambda operation: self.posted.append(operation.id),
            lambda: self.jobs,
            self._check_wish,
        )
        self.token_file = directory / "tokens.json"
        TokenFileAuth.write(self.token_file, TOKENS)
        self.app: Flask = create_app(self.services, TokenFileAuth(self.token_file))
        self.client: FlaskClient = self.app.test_client()

    def _check_wish(self, wish: Wish) -> None:
        self.wishes.append(wish)
        if self.ungranted is not None:
            raise self.ungranted

    def ask(self, method: str, path: str, token: str | None = "owner", **kwargs: Any) -> TestResponse:
        """``path`` below the token's project, or from the root when it begins with /."""
        headers = dict(kwargs.pop("headers", {}))
        if token is not None:
            headers["X-Auth-Token"] = token
        if not path.startswith("/"):
            path = f"/v1.0/{TOKENS[token or 'owner']['project_id']}/{path}"
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def create(self, token: str = "owner", **changes: Any) -> TestResponse:
        """POST /instances with a body that is right but for ``changes`` (None leaves a key out)."""
        wanted = {
            "name": "db1",
            "flavorRef": "1",
            "volume": {"size": 1},
            "datastore": {"type": "mariadb", "version": "10.11"},
        } | changes
        body = {"instance": {key: value for key, value in wanted.items() if value is not None}}
        return self.ask("POST", "instances", token, json=body)

    def created(self, token: str = "owner", **changes: Any) -> str:
        """Id of a new instance that still builds."""
        answer = self.create(token, **changes)
        assert answer.status_code == 200, answer.text
        instance_id: str = answer.json["instance"]["id"]
        return instance_id

    def active(self, token: str = "owner", **changes: Any) -> str:
        """Id of an instance that was created and is healthy."""
        instance_id = self.created(token, **changes)
        self.finish(instance_id)
        with self.database.write() as session:
            session.add(Health(instance_id=instance_id, seen=utcnow(), service_status="HEALTHY", volume_used=0.12))
        return instance_id

    def finish(self, instance_id: str, state: State = State.SUCCESS, task: Task = Task.NONE) -> None:
        """What the conductor does at the end of the instance's operation."""
        with self.database.write() as session:
            instance = session.get_one(Instance, instance_id)
            operation = session.get_one(Operation, instance.operation_id)
            operation.state, operation.finished = state, utcnow()
            instance.operation_id, instance.task = None, task
            instance.addresses = [{"address": "127.0.3.1", "type": "private"}]

    def instance(self, instance_id: str) -> Instance:
        """The row."""
        with self.database.read() as session:
            return session.get_one(Instance, instance_id)

    def operation(self, operation_id: str) -> Operation:
        """The row."""
        with self.database.read() as session:
            return session.get_one(Operation, operation_id)

    def count(self, model: Any) -> int:
        """Rows in a table."""
        with self.database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def race(world: World) -> list[int]:
    """Status codes of eight creates at once where three places are left."""
    world.conf.set_override("max_instances_per_tenant", 3, "quota")
    return sorted(at_once(world, "/v1.0/p1/instances", BODY, OWNER))


def same_key(world: World) -> list[int]:
    """Status codes of eight creates at once with one Idempotency-Key."""
    return at_once(world, "/v1.0/p1/instances", BODY, OWNER | {"Idempotency-Key": "one"})


def at_once(world: World, path: str, body: object, headers: Mapping[str, str]) -> list[int]:
    """Status codes of eight POSTs at once."""
    start, codes = threading.Barrier(8), []

    def post() -> None:
        start.wait()
        codes.append(world.app.test_client().post(path, json=body, headers=headers).status_code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes

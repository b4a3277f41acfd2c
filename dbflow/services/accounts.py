# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and root: what the guest is asked for while the client waits."""

import secrets
import string
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from dbflow.datastores import Datastore, Feature, load
from dbflow.db.models import DatastoreVersion, Health, Instance, RootHistory, utcnow
from dbflow.messaging.errors import BrokerUnavailable, GuestRefused, GuestUnreachable, MessageTooLarge
from dbflow.services import instances, names
from dbflow.services.announcing import request
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, NotFound, OverLimit, ServiceError, Unavailable, Unprocessable
from dbflow.status import Service, Task

_LOOK_UPS = {"ListDatabases", "ListUsers", "GetUser", "RootEnabled"}
_QUIET = {Task.NONE, Task.RESTART_REQUIRED, Task.BACKING_UP}
_UP = {Service.HEALTHY, Service.RUNNING}
_ALPHABET = string.ascii_letters + string.digits
_PASSWORD_LENGTH = 36
_LATER = {"Retry-After": "5"}
_FAILED = "The guest of the instance failed to do this."
T = TypeVar("T")


class Agent:
    """The guest agent of an instance that this caller may use."""

    tasks: str
    """The module of what it is asked to do."""

    def __init__(self, services: Services, caller: Caller, instance_id: str) -> None:
        """NotFound."""
        self._services, self.instance_id = services, instance_id
        with services.database.read() as session:
            instances.load(session, caller, instance_id)

    def ask(self, task: str, missing: str | None = None, timeout: float | None = None, **arguments: Any) -> Any:
        """Run a guest task; what the guest refuses becomes the error for the client.

        ``missing`` is the message where the guest finds something not there; ``timeout`` in seconds, ``[messaging]
        call_timeout`` unless given.
        """
        patience = float(self._services.conf.messaging.call_timeout) if timeout is None else timeout
        try:
            return self._services.guests.call(self.instance_id, f"{self.tasks}.{task}", arguments, patience)
        except BrokerUnavailable:
            raise Unavailable("Databases can't be asked now: the message broker does not answer.", _LATER) from None
        except GuestUnreachable:
            raise Unavailable(f"The guest of instance {self.instance_id} did not answer.", _LATER) from None
        except KeyError:  # its key went while we asked
            raise Unprocessable(f"Instance {self.instance_id} is not ready: it is being deleted.") from None
        except MessageTooLarge as error:
            raise OverLimit(str(error)) from None
        except GuestRefused as error:
            raise _refusal(error, missing) from None


class Guest(Agent):
    """The guest of an instance whose database can answer now."""

    tasks = "guest.tasks.accounts"

    def __init__(self, services: Services, caller: Caller, instance_id: str, feature: Feature) -> None:
        """NotFound, Unprocessable when it is not up, or when its datastore has no such feature."""
        self._services, self.instance_id = services, instance_id
        with services.database.read() as session:
            instance = instances.load(session, caller, instance_id)
            health = session.get(Health, instance.id)
            manager = session.scalar(
                sa.select(DatastoreVersion.manager).where(DatastoreVersion.id == instance.datastore_version_id)
            )
        self._must_be_up(instance, health)
        self.project_id = instance.project_id
        self._source_id = instance.replica_of_id
        self.datastore: Datastore = load(str(manager))
        if not self.datastore.supports(feature):
            raise Unprocessable(f"{self.datastore.name} has no {feature}.")

    def ask(self, task: str, missing: str | None = None, timeout: float | None = None, **arguments: Any) -> Any:
        """As any agent's; BadRequest for a change of accounts on a replica, which has its source's."""
        if self._source_id is not None and self.tasks == Guest.tasks and task not in _LOOK_UPS:
            raise BadRequest(f"Instance {self.instance_id} is a replica: change its source, {self._source_id}.")
        return super().ask(task, missing, timeout, **arguments)

    def _must_be_up(self, instance: Instance, health: Health | None) -> None:
        """Unprocessable by what its guest last said; Unavailable where that is long ago: nobody knows better yet."""
        if health is None or instance.task not in _QUIET or health.service_status not in _UP:
            raise Unprocessable(f"Instance {instance.id} is not ready: its database server is not running.")
        silent = (utcnow() - health.seen).total_seconds()
        if silent > self._services.conf.messaging.heartbeat_expiry:
            raise Unavailable(f"The guest of instance {instance.id} was last heard {silent:.0f} s ago.", _LATER)


def _refusal(error: GuestRefused, missing: str | None) -> ServiceError:
    if error.error == "NotFound":
        return NotFound(missing or str(error))
    if error.error == "StoreUnavailable":
        return Unavailable(str(error), _LATER)
    if "DatastoreError" in error.errors:
        return BadRequest(str(error))
    return BadRequest(_FAILED)


def shaped(read: Callable[[Any], T], said: Any) -> T:
    """What a guest said, as ``read`` takes it. BadRequest where it has made up something else."""
    try:
        return read(said)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise BadRequest(_FAILED) from None


def page(found: Iterable[dict[str, Any]], key: Any, limit: int, marker: str | None) -> tuple[list[Any], str | None]:
    """A page of what a guest listed, and the next page's marker."""
    rest = sorted(found, key=key)
    if marker is not None:
        rest = [item for item in rest if key(item) > marker]
    return rest[:limit], key(rest[limit - 1]) if len(rest) > limit else None


def list_databases(
    services: Services, caller: Caller, instance_id: str, limit: int, marker: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """([{"name"}, …], next marker)"""
    guest = Guest(services, caller, instance_id, Feature.DATABASES)
    found = shaped(lambda said: [{"name": str(database["name"])} for database in said], guest.ask("ListDatabases"))
    return page(found, lambda database: database["name"], limit, marker)


def add_databases(services: Services, caller: Caller, instance_id: str, wanted: list[dict[str, Any]]) -> None:
    """All of them, or none."""
    guest = Guest(services, caller, instance_id, Feature.DATABASES)
    specs = names.database_specs(guest.datastore, wanted)
    with request(services, caller, "database_create", instance_id=instance_id, dbname=_joined(wanted)):
        guest.ask("AddDatabases", databases=specs)


def _joined(wanted: Iterable[dict[str, Any]]) -> str:
    """Their names as notifications tell them."""
    return ",".join(str(one["name"]) for one in wanted)


def delete_database(services: Services, caller: Caller, instance_id: str, name: str) -> None:
    """NotFound when it is not there, or the engine's own."""
    guest = Guest(services, caller, instance_id, Feature.DATABASES)
    gone = f"Database {name} cannot be found on the instance."
    if guest.datastore.is_reserved_database(name):
        raise NotFound(gone)
    with request(services, caller, "database_delete", instance_id=instance_id, dbname=name):
        guest.ask("DeleteDatabase", gone, name=name)


def list_users(
    services: Services, caller: Caller, instance_id: str, limit: int, marker: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """([{"name", "host", "databases": [{"name"}]}, …], next marker ``name@host``)"""
    guest = Guest(services, caller, instance_id, Feature.USERS)
    found = shaped(lambda said: [_user(user) for user in said], guest.ask("ListUsers"))
    return page(found, lambda user: f"{user['name']}@{user['host']}", limit, marker)


def _user(user: dict[str, Any]) -> dict[str, Any]:
    databases = [{"name": str(name)} for name in user["databases"]]
    return {"name": str(user["name"]), "host": str(user["host"]), "databases": databases}


def add_users(services: Services, caller: Caller, instance_id: str, wanted: list[dict[str, Any]]) -> None:
    """All of them, or none."""
    guest = Guest(services, caller, instance_id, Feature.USERS)
    specs = names.user_specs(guest.datastore, wanted)
    with request(services, caller, "user_create", instance_id=instance_id, username=_joined(wanted)):
        guest.ask("AddUsers", users=specs)


def set_passwords(services: Services, caller: Caller, instance_id: str, wanted: list[dict[str, Any]]) -> None:
    """Of all these users, or of none."""
    guest = Guest(services, caller, instance_id, Feature.USERS)
    specs = names.user_specs(guest.datastore, wanted)
    with request(services, caller, "user_change_password", instance_id=instance_id, username=_joined(wanted)):
        guest.ask("SetPasswords", users=specs)


class UserOf(Guest):
    """The guest of an instance, and one of its users by ``name@host``."""

    def __init__(self, services: Services, caller: Caller, instance_id: str, reference: str) -> None:
        super().__init__(services, caller, instance_id, Feature.USERS)
        self.name, self.host = names.split_user(reference)
        self.gone = f"User {self.name}@{self.host} cannot be found on the instance."
        if self.datastore.is_reserved_user(self.name):
            raise NotFound(self.gone)

    def ask_user(self, task: str, missing: str | None = None, **arguments: Any) -> Any:
        """Run a guest task about this user."""
        return self.ask(task, missing or self.gone, name=self.name, host=self.host, **arguments)


def get_user(services: Services, caller: Caller, instance_id: str, reference: str) -> dict[str, Any]:
    """{"name", "host", "databases": [{"name"}]}"""
    return shaped(_user, UserOf(services, caller, instance_id, reference).ask_user("GetUser"))


def update_user(services: Services, caller: Caller, instance_id: str, reference: str, wanted: dict[str, Any]) -> None:
    """New name, host and/or password."""
    user = UserOf(services, caller, instance_id, reference)
    name, host, password = wanted.get("name"), wanted.get("host"), wanted.get("password")
    if name is None and host is None and password is None:
        raise BadRequest("Validation error: user: one of 'name', 'host' and 'password' is required.")
    if name is not None or host is not None:
        names.checked("user", lambda: user.datastore.check_user(name or user.name, host or user.host))
    if password is not None:
        names.checked("user", lambda: user.datastore.check_password(password))
    with request(services, caller, "user_update_attributes", instance_id=instance_id, username=user.name):
        user.ask_user("UpdateUser", new_name=name, new_host=host, password=password)


def delete_user(services: Services, caller: Caller, instance_id: str, reference: str) -> None:
    """NotFound when it is not there, or the engine's own."""
    user = UserOf(services, caller, instance_id, reference)
    with request(services, caller, "user_delete", instance_id=instance_id, username=user.name):
        user.ask_user("DeleteUser")


def list_access(services: Services, caller: Caller, instance_id: str, reference: str) -> list[dict[str, Any]]:
    """[{"name"}, …] of the databases the user may use."""
    databases: list[dict[str, Any]] = get_user(services, caller, instance_id, reference)["databases"]
    return databases


def grant(services: Services, caller: Caller, instance_id: str, reference: str, wanted: list[dict[str, Any]]) -> None:
    """All rights on each of these databases."""
    user = UserOf(services, caller, instance_id, reference)
    databases = [item["name"] for item in wanted]
    for name in databases:
        names.checked("databases", lambda name=name: user.datastore.check_database(name))
        names.checked("databases", lambda name=name: user.datastore.check_grant(name))
    told = {"username": user.name, "database": ",".join(databases)}
    with request(services, caller, "user_grant", instance_id=instance_id, **told):
        user.ask("Grant", name=user.name, host=user.host, databases=databases)


def revoke(services: Services, caller: Caller, instance_id: str, reference: str, database: str) -> None:
    """NotFound when the user is not there or may not use that database anyway."""
    user = UserOf(services, caller, instance_id, reference)
    gone = f"User {user.name}@{user.host} has no access to database {database}."
    with request(services, caller, "user_revoke", instance_id=instance_id, username=user.name, database=database):
        user.ask_user("Revoke", gone, database=database)


def root_enabled(services: Services, caller: Caller, instance_id: str) -> bool:
    """Whether root can log in from outside now."""
    return bool(Guest(services, caller, instance_id, Feature.ROOT).ask("RootEnabled"))


@contended
def enable_root(services: Services, caller: Caller, instance_id: str, password: str | None) -> dict[str, str]:
    """{"name", "password"}; a password is made where none is given, and kept nowhere."""
    guest = Guest(services, caller, instance_id, Feature.ROOT)
    if password is None:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_LENGTH))
    else:
        names.checked("root", lambda: guest.datastore.check_password(password))
    # Noted first: should the guest's answer be lost, root is in all the same, and must be possible to disable.
    with services.database.write() as session:
        instances.load(session, caller, instance_id, lock=True)
        if session.get(RootHistory, instance_id) is None:
            session.add(RootHistory(instance_id=instance_id, user_id=caller.user_id))
    name = str(guest.ask("EnableRoot", password=password))
    return {"name": name, "password": password}


def disable_root(services: Services, caller: Caller, instance_id: str) -> None:
    """NotFound when root was never enabled."""
    guest = Guest(services, caller, instance_id, Feature.ROOT)
    with services.database.read() as session:
        if session.get(RootHistory, instance_id) is None:
            raise NotFound("Root user has never been enabled on the instance.")
    guest.ask("DisableRoot")

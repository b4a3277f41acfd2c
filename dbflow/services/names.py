# SPDX-License-Identifier: Apache-2.0
"""Databases and users as request bodies have them, checked against what the datastore takes."""

from collections.abc import Sequence
from typing import Any

from dbflow.datastores import Datastore, Feature, Invalid, load
from dbflow.services.errors import BadRequest

Specs = list[dict[str, Any]]


def for_create(manager: str, wanted: dict[str, Any]) -> tuple[Specs, Specs]:
    """(databases, users) of a create body; users may refer to its databases only."""
    datastore = load(manager)
    databases = database_specs(datastore, wanted.get("databases") or [])
    users = user_specs(datastore, wanted.get("users") or [])
    known = {database["name"] for database in databases}
    for user in users:
        if unknown := sorted(set(user["databases"]) - known):
            raise BadRequest(f"users: user {user['name']} refers to database {unknown[0]}, which is not in databases.")
    return databases, users


def database_specs(datastore: Datastore, wanted: Sequence[dict[str, Any]]) -> Specs:
    """[{"name", "character_set", "collate"}, …]; BadRequest names the field."""
    if wanted and not datastore.supports(Feature.DATABASES):
        raise BadRequest(f"databases: not supported by {datastore.name}.")
    specs = []
    for item in wanted:
        charset, collate = item.get("character_set") or None, item.get("collate") or None
        checked("databases", lambda item=item, c=charset, o=collate: datastore.check_database(item["name"], c, o))
        specs.append({"name": item["name"], "character_set": charset, "collate": collate})
    _no_duplicates("databases", [spec["name"] for spec in specs])
    return specs


def user_specs(datastore: Datastore, wanted: Sequence[dict[str, Any]]) -> Specs:
    """[{"name", "password", "host", "databases": [name, …]}, …]; BadRequest names the field."""
    if wanted and not datastore.supports(Feature.USERS):
        raise BadRequest(f"users: not supported by {datastore.name}.")
    specs = [user_spec(datastore, item) for item in wanted]
    _no_duplicates("users", [f"{spec['name']}@{spec['host']}" for spec in specs])
    return specs


def user_spec(datastore: Datastore, item: dict[str, Any]) -> dict[str, Any]:
    """One user with its grants."""
    name, password, host = item["name"], item["password"], item.get("host") or "%"
    databases = list(dict.fromkeys(database["name"] for database in item.get("databases") or []))
    checked("users", lambda: datastore.check_user(name, host))
    checked("users", lambda: datastore.check_password(password))
    for database in databases:
        checked("users", lambda database=database: datastore.check_database(database))
        checked("users", lambda database=database: datastore.check_grant(database))
    return {"name": name, "password": password, "host": host, "databases": databases}


def checked(where: str, check: Any) -> None:
    """Run a check of the datastore; BadRequest says where and which field."""
    try:
        check()
    except Invalid as error:
        raise BadRequest(f"Validation error: {where} {error.field}: {error}") from None


def _no_duplicates(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadRequest(f"Validation error: {what} name: {name} is there twice.")
        seen.add(name)


def split_user(reference: str) -> tuple[str, str]:
    """(name, host) of ``name@host`` or ``name``; the host defaults to %."""
    name, at, host = reference.rpartition("@")
    return (name, host or "%") if at else (reference, "%")

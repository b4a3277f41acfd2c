# SPDX-License-Identifier: Apache-2.0
"""What configuration groups of a datastore version may set: each version's own list, kept in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import datastores
from dbflow.datastores import Invalid
from dbflow.datastores.parameters import Parameter
from dbflow.db.models import ConfigurationParameter, DatastoreVersion
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.datastores import version as version_of
from dbflow.services.errors import BadRequest, NotFound, Unprocessable

Row = ConfigurationParameter


def make_known(session: Session, version: DatastoreVersion, *, again: bool = False) -> int:
    """Give a version that has no parameters those of its plug-in; ``again`` also brings what it has up to date.
    Returns how many there are. What an administrator has taken away stays away."""
    there = {row.name: row for row in session.scalars(_rows(version.id))}
    if (there and not again) or version.manager not in datastores.managers():
        return len(there)
    for parameter in datastores.load(version.manager).parameters(version.version):
        row = there.get(parameter.name)
        if row is None:
            row = there[parameter.name] = Row(datastore_version_id=version.id, name=parameter.name)
            session.add(row)
        row.type, row.restart_required = parameter.type, parameter.restart_required
        row.bounds = _bounds(parameter)
    return len(there)


def _bounds(parameter: Parameter) -> dict[str, Any]:
    """What there is of them."""
    found = {
        "min": parameter.min,
        "max": parameter.max,
        "words": list(parameter.words) or None,
        "several": parameter.several or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _parameter(row: Row) -> Parameter:
    bounds = row.bounds
    return Parameter(
        name=row.name,
        type=row.type,
        restart_required=row.restart_required,
        min=bounds.get("min"),
        max=bounds.get("max"),
        words=tuple(bounds.get("words", ())),
        several=bounds.get("several", False),
    )


def _rows(version_id: str) -> sa.Select[Row]:
    return sa.select(Row).where(Row.datastore_version_id == version_id).order_by(Row.name)


def every(
    services: Services, caller: Caller, datastore: str | None, reference: str, *, deleted: bool = False
) -> Sequence[Row]:
    """Those of a version, by name; also what was taken away if ``deleted``."""
    version = version_of(services, caller, datastore, reference)
    query = _rows(version.id) if deleted else _rows(version.id).where(Row.deleted.is_(False))
    with services.database.read() as session:
        return session.scalars(query).all()


def one(
    services: Services, caller: Caller, datastore: str | None, reference: str, name: str, *, deleted: bool = False
) -> Row:
    """NotFound when there is none of that name."""
    version = version_of(services, caller, datastore, reference)
    with services.database.read() as session:
        return _one(session, version, name, deleted=deleted)


def _one(session: Session, version: DatastoreVersion, name: str, *, deleted: bool = False) -> Row:
    found = session.get(Row, (version.id, name))
    if found is None or (found.deleted and not deleted):
        raise NotFound(f"Configuration parameter {name[:255]} cannot be found for version {version.name}.")
    return found


def checked(session: Session, version_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are kept. Unprocessable names the first parameter that there is not, or whose value is not
    of its type or out of its bounds."""
    known = {row.name: _parameter(row) for row in session.scalars(_rows(version_id)) if not row.deleted}
    for name in values:
        if name not in known:
            raise Unprocessable(f"The configuration parameter {name[:255]} is not supported for this version.")
    try:
        return {name: known[name].check(value) for name, value in values.items()}
    except Invalid as error:
        raise Unprocessable(str(error)) from None


@contended
def create(services: Services, caller: Caller, reference: str, wanted: Mapping[str, Any]) -> Row:
    """Let groups of a version set one more. BadRequest when it is there."""
    version = version_of(services, caller, None, reference)
    if version.manager in datastores.managers() and datastores.load(version.manager).is_own_parameter(wanted["name"]):
        raise BadRequest(f"The parameter {wanted['name']} is dbflow's own.")
    with services.database.write() as session:
        # The row is not there to be locked: of two that make it at once, the second must find it.
        if session.get(DatastoreVersion, version.id, with_for_update=True) is None:
            raise NotFound(f"Datastore version '{version.id}' cannot be found.")
        row = session.get(Row, (version.id, wanted["name"]))
        if row is not None and not row.deleted:
            raise BadRequest(f"A configuration parameter with the name {wanted['name']} already exists.")
        if row is None:
            row = Row(datastore_version_id=version.id, name=wanted["name"])
            session.add(row)
        row.deleted = False
        _change(row, wanted)
        return row


@contended
def update(services: Services, caller: Caller, reference: str, name: str, wanted: Mapping[str, Any]) -> Row:
    """Other type and bounds. What groups have already is not looked at."""
    version = version_of(services, caller, None, reference)
    with services.database.write() as session:
        row = _one(session, version, name)
        _change(row, wanted)
        return row


def _change(row: Row, wanted: Mapping[str, Any]) -> None:
    low, high = wanted.get("min_size"), wanted.get("max_size")
    bounds = {"min": low, "max": high}
    # Words come from the server; no request can say them.
    kept = {name: value for name, value in (row.bounds or {}).items() if name in ("words", "several")}
    row.type, row.restart_required = wanted["data_type"], bool(wanted["restart_required"])
    row.bounds = {name: _number(value) for name, value in bounds.items() if value is not None}
    if row.bounds and row.type not in ("integer", "float"):
        raise BadRequest("Validation error: min_size and max_size are for numbers.")
    if "min" in row.bounds and "max" in row.bounds and row.bounds["min"] > row.bounds["max"]:
        raise BadRequest("Validation error: min_size is greater than max_size.")
    if row.type == "string":
        row.bounds = kept


def _number(value: Any) -> int | float:
    """A bound may come as its digits."""
    return int(value) if isinstance(value, str) else value


@contended
def delete(services: Services, caller: Caller, reference: str, name: str) -> None:
    """No group may set it from now on; those that do keep it until they are changed."""
    version = version_of(services, caller, None, reference)
    with services.database.write() as session:
        _one(session, version, name).deleted = True

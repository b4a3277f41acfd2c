# SPDX-License-Identifier: Apache-2.0
"""TLS of instances: how it is, and changing it; of a source, with its replicas."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import authorities, certificates, datastores, operations
from dbflow.datastores import Feature
from dbflow.db import tls
from dbflow.db.models import DatastoreVersion, Instance, InstanceTls, new_id
from dbflow.db.replicas import replicas_of
from dbflow.pkcs12 import Brought
from dbflow.services import instances
from dbflow.services.actions import must_be_ready, must_not_be_stopped
from dbflow.services.brought import bring
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unprocessable
from dbflow.status import Task
from dbflow.tlsmode import OWN, Mode

Wanted = Mapping[str, Any]
"""{"mode", "container_ref", "password_ref"}"""
BUILTIN: Wanted = {"mode": Mode.BUILTIN, "container_ref": None, "password_ref": None}


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Of a server, as its users see it."""

    shown: certificates.Shown
    payload: str
    """PEM: what clients check the server by, after its own."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """How an instance uses TLS."""

    mode: str
    certificate: Certificate | None
    """None: it was never given one, and offers no TLS."""


def show(services: Services, caller: Caller, instance_id: str) -> Seen:
    """Unprocessable while the instance is not ready."""
    with services.database.read() as session:
        instance = instances.load(session, caller, instance_id)
        _must_be_able(session, instance)
        must_be_ready(session, instance)
        return _seen(session, instance)


def seen(services: Services, caller: Caller, instance_id: str) -> Seen:
    """The same, whatever goes on with the instance."""
    with services.database.read() as session:
        return _seen(session, instances.load(session, caller, instance_id))


def _seen(session: Session, instance: Instance) -> Seen:
    row = session.get(InstanceTls, instance.id)
    if row is None or row.certificate is None:
        return Seen(Mode.BUILTIN, None)
    known = ""
    if row.mode == Mode.BUILTIN:
        known = certificates.together(
            *(one.certificate for one in authorities.of_project(session, instance.project_id))
        )
    return Seen(row.mode, Certificate(certificates.show(row.certificate), f"{row.certificate}{known}"))


def enable(services: Services, caller: Caller, instance_id: str, wanted: Wanted) -> str:
    """Use a certificate that the owner brings; returns the operation's id."""
    with services.database.read() as session:
        instance = instances.load(session, caller, instance_id)
        _members(session, instance)
    brought = bring(
        services, caller, instance.project_id, wanted["mode"], wanted["container_ref"], wanted.get("password_ref")
    )
    return _change(services, caller, instance_id, wanted, brought)


def disable(services: Services, caller: Caller, instance_id: str) -> str:
    """Use a certificate of dbflow's own, and insist on nothing; returns the operation's id."""
    return _change(services, caller, instance_id, BUILTIN, None)


def rollback(services: Services, caller: Caller, instance_id: str) -> str:
    """As it was before the last change; an owner's certificate is read again where it was then. Returns the operation's
    id."""
    with services.database.read() as session:
        instance = instances.load(session, caller, instance_id)
        row = session.get(InstanceTls, instance.id)
        before = row.previous if row is not None else None
    if before is None:
        raise BadRequest(f"ssl: nothing was changed on instance {instance_id} that could be rolled back.")
    if before["mode"] == Mode.BUILTIN:
        return disable(services, caller, instance_id)
    return enable(services, caller, instance_id, before)


@contended
def _change(services: Services, caller: Caller, instance_id: str, wanted: Wanted, brought: Brought | None) -> str:
    try:
        with services.database.write() as session:
            instance = instances.load(session, caller, instance_id, lock=True)
            members = _members(session, instance, lock=True)
            arguments = {
                "tls": public(wanted, brought),
                "change": new_id(),
                "instance_ids": [one.id for one in members],
                "old_tls": {one.id: tls.kept(session, one.id) for one in members},
                "holder_id": instance.id,
            }
            if brought is not None:
                leave(services, session, instance.id, wanted["mode"], brought)
            operation = instances.accept(
                services, session, caller, "instance.ssl", instance, arguments, members=[one.id for one in members[:-1]]
            )
            for one in members:
                operations.lock_instance(session, one.id, operation)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


@contended
def renew(services: Services, caller: Caller, instance_id: str) -> str:
    """Use another certificate of dbflow's own now, as the leader does in time; returns the operation's id."""
    try:
        with services.database.write() as session:
            instance = instances.load(session, caller, instance_id, lock=True)
            _must_be_able(session, instance)
            row = session.get(InstanceTls, instance.id)
            if row is None or row.mode in OWN:
                raise BadRequest(f"Instance {instance.id} has no certificate of dbflow's own.")
            must_be_ready(session, instance)
            must_not_be_stopped(session, instance)
            arguments = {"change": new_id(), "old_tls": tls.kept(session, instance.id)}
            operation = instances.accept(services, session, caller, "instance.renew_certificate", instance, arguments)
            operations.lock_instance(session, instance.id, operation)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


def _members(session: Session, instance: Instance, *, lock: bool = False) -> list[Instance]:
    """The replicas, and the source as the last; all of them can be changed now."""
    _must_be_able(session, instance)
    if instance.replica_of_id is not None:
        raise BadRequest(f"Instance {instance.id} is a replica: change its source, {instance.replica_of_id}.")
    replicas = [one for one in replicas_of(session, instance.id, lock=lock) if one.task != Task.DELETING]
    for one in (*replicas, instance):
        must_be_ready(session, one)
        must_not_be_stopped(session, one)
    return [*replicas, instance]


def public(wanted: Wanted, brought: Brought | None) -> dict[str, Any]:
    """What is recorded of it; no private key."""
    return {
        "mode": wanted["mode"],
        "container_ref": wanted.get("container_ref"),
        "password_ref": wanted.get("password_ref"),
        "certificate": brought.certificate if brought is not None else None,
        "expires": brought.expires.isoformat() if brought is not None else None,
    }


def leave(services: Services, session: Session, instance_id: str, mode: str, brought: Brought) -> None:
    """For the operation that is about to be accepted: it forgets it at its end."""
    identity = {
        "mode": mode,
        "certificate": brought.certificate,
        "authorities": brought.authorities,
        "key": brought.key,
    }
    tls.put(session, instance_id, sealed=services.keyring.seal(identity))


def of_replicas(services: Services, caller: Caller, source_id: str) -> tuple[Wanted, Brought | None]:
    """As their source has it: its owner's certificate is read again where it is kept. Unprocessable when there is
    another one by now: replicas and source would not believe each other."""
    with services.database.read() as session:
        row = session.get(InstanceTls, source_id)
        if row is None or row.mode not in OWN:
            return BUILTIN, None
        wanted = {name: getattr(row, name) for name in BUILTIN}
        project_id, certificate = instances.load(session, caller, source_id).project_id, row.certificate
    brought = bring(services, caller, project_id, wanted["mode"], wanted["container_ref"], wanted["password_ref"])
    if brought.certificate != certificate:
        raise Unprocessable(
            f"{wanted['container_ref']} holds another certificate by now than source {source_id} has: enable it there"
            " first."
        )
    return wanted, brought


def _must_be_able(session: Session, instance: Instance) -> None:
    query = sa.select(DatastoreVersion.manager).where(DatastoreVersion.id == instance.datastore_version_id)
    datastore = datastores.load(str(session.scalar(query)))
    if not datastore.supports(Feature.TLS):
        raise Unprocessable(f"{datastore.name} has no {Feature.TLS}.")

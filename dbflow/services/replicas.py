# SPDX-License-Identifier: Apache-2.0
"""Creating replicas of an instance: as large as it is, and all of them at once or none."""

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from dbflow import datastores, operations
from dbflow.cloud.base import Flavor, Wish
from dbflow.datastores import Feature, Strategy
from dbflow.db import tls
from dbflow.db.models import Backup, Configuration, DatastoreVersion, Instance, InstanceTls, new_id
from dbflow.db.replicas import replicas_of
from dbflow.pkcs12 import Brought
from dbflow.services import configurations, images, instances, ssl, wishes
from dbflow.services.actions import must_be_ready, must_not_be_stopped
from dbflow.services.backup_rows import of_reference
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.create import checked_access, nics, reserve
from dbflow.services.errors import BadRequest, NotAuthenticated, Unprocessable
from dbflow.services.flavors import of_reference as flavor_of
from dbflow.status import Task

_OF_SOURCE = ("flavorRef", "flavor", "volume", "datastore", "databases", "users", "locality", "restorePoint")
"""What replicas have of their source, and a request must not say."""


def source_reference(wanted: Mapping[str, Any]) -> str | None:
    """The source that the ``instance`` of a create body names, if it asks for replicas."""
    return wanted.get("replica_of") or wanted.get("slave_of")


@contended
def create(services: Services, caller: Caller, wanted: dict[str, Any]) -> tuple[str, str]:
    """Record the replicas, the copy that they are made from and their operation; returns the ids of the first replica
    and of the operation. ``wanted`` is the ``instance`` of a body that fits the schema and names a source."""
    count = wanted.get("replica_count") or 1
    if wanted.get("access"):
        wanted = {**wanted, "access": checked_access(wanted["access"])}
    source_id = of_reference(str(source_reference(wanted)))
    image = _image(services, caller, source_id)
    wishes.must_be_granted(services, _wish(caller, wanted))
    mode, brought = _tls(services, caller, source_id)
    try:
        with services.database.write() as session:
            # The group before the instances, as everybody locks them.
            group = _group(session, caller, instances.load(session, caller, source_id), wanted.get("configuration"))
            source = instances.load(session, caller, source_id, lock=True)
            _check(wanted)
            version = _check_source(session, source)
            _must_have(session, source, mode)
            _must_be_settled(session, source)
            first = not replicas_of(session, source.id)
            flavor = flavor_of(services.flavors, source.flavor_id)
            size = source.volume_size or 0
            more = {"instances": count, "ram": flavor.ram * count, "volumes": size * count}
            reserve(services, session, source.project_id, more)
            replicas = [_replica(services, caller, source, wanted, name) for name in _names(wanted["name"], count)]
            for replica in replicas:
                replica.configuration_id = group.id if group is not None else None
            copy = _copy(services, caller, source)
            session.add_all([*replicas, copy])
            arguments = _arguments(services, source, replicas, copy, flavor, version, first) | {"image": image}
            arguments["overrides"] = dict(group.settings) if group is not None else {}
            arguments |= _certified(services, session, replicas, mode, brought)
            members = [source.id, *(replica.id for replica in replicas[1:])]
            operation = instances.accept(
                services, session, caller, "instance.replicate", replicas[0], arguments, members=members
            )
            copy.operation_id = copy.made_by = operation.id
            for one in (source, *replicas):
                operations.lock_instance(session, one.id, operation)
            # It goes on working meanwhile, as when it is backed up.
            session.refresh(source)
            source.task = Task.BACKING_UP
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return replicas[0].id, operation.id


def _tls(services: Services, caller: Caller, source_id: str) -> tuple[ssl.Wanted, Brought | None]:
    """Before the transaction: the secret store may be slow."""
    with services.database.read() as session:
        instances.load(session, caller, source_id)
    return ssl.of_replicas(services, caller, source_id)


def _must_have(session: Session, source: Instance, wanted: ssl.Wanted) -> None:
    """Unprocessable where somebody has changed the source's TLS since we looked."""
    row = session.get(InstanceTls, source.id)
    if row is not None and any(getattr(row, name) != wanted[name] for name in ssl.BUILTIN):
        raise Unprocessable(f"TLS of instance {source.id} has just been changed; ask again.")


def _certified(
    services: Services, session: Session, replicas: list[Instance], wanted: ssl.Wanted, brought: Brought | None
) -> dict[str, Any]:
    """What the flow takes. An owner's certificate is left for it on the first replica's row."""
    holder_id = replicas[0].id
    if brought is not None:
        for replica in replicas:
            columns = {"expires": brought.expires, "certificate": brought.certificate}
            tls.put(session, replica.id, **wanted, **columns)
        ssl.leave(services, session, holder_id, wanted["mode"], brought)
    return {"tls": {"mode": wanted["mode"]}, "holder_id": holder_id}


def login(services: Services, source: Instance, *, fresh: bool = False) -> dict[str, Any]:
    """What guests take as ``replication``. A ``fresh`` password becomes the source's."""
    if fresh or source.replication is None:
        source.replication = services.keyring.seal({"password": secrets.token_urlsafe(24)})
    password = services.keyring.unseal(source.replication)["password"]
    return {"password": password, "fallback": services.conf.mariadb.semi_sync_fallback}


def _image(services: Services, caller: Caller, source_id: str) -> str | None:
    """Of the source's version; asked of the cloud, which may be slow, before there is a transaction."""
    with services.database.read() as session:
        source = instances.load(session, caller, source_id)
        version = session.get_one(DatastoreVersion, source.datastore_version_id)
    return images.of_version(services, version)


def _group(session: Session, caller: Caller, source: Instance, reference: str | None) -> Configuration | None:
    """The configuration group of the replicas: their own, whatever that of their source is."""
    if not reference:
        return None
    return configurations.usable(session, caller, reference, source.project_id, source.datastore_version_id)


def _check(wanted: Mapping[str, Any]) -> None:
    for field in _OF_SOURCE:
        if wanted.get(field):
            raise BadRequest(f"{field}: a replica has it of its source, so it can't be given with replica_of.")
    if any("ip_address" in nic for nic in wanted.get("nics") or ()):
        raise BadRequest("nics: the address of a replica can't be given.")
    if wanted.get("modules"):
        raise BadRequest(
            "modules: a replica has what modules have written of its source; apply others when it is there."
        )


def _check_source(session: Session, source: Instance) -> DatastoreVersion:
    if source.replica_of_id is not None:
        # As Trove answers it.
        raise NotAuthenticated(f"Cannot create a replica of a replica {source.id}.")
    version = session.get_one(DatastoreVersion, source.datastore_version_id)
    if not datastores.load(version.manager).supports(Feature.REPLICATION):
        raise BadRequest("replica_of: replication is not supported for this datastore.")
    must_be_ready(session, source)
    must_not_be_stopped(session, source)
    return version


def _must_be_settled(session: Session, source: Instance) -> None:
    """Whoever counts the replicas that are left must not do so while there are new ones."""
    if operations.under_way(session, "instance.settle_replicas", source.id):
        raise Unprocessable(f"Instance {source.id} is being told that it has lost a replica; ask again in a moment.")


def _names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]


def _replica(services: Services, caller: Caller, source: Instance, wanted: Mapping[str, Any], name: str) -> Instance:
    return Instance(
        id=new_id(),
        name=name,
        project_id=source.project_id,
        user_id=caller.user_id,
        datastore_version_id=source.datastore_version_id,
        flavor_id=source.flavor_id,
        ram=source.ram,
        volume_size=source.volume_size,
        quota_volume=source.volume_size or 0,
        volume_type=source.volume_type,
        region=services.conf.api.region,
        availability_zone=wanted.get("availability_zone"),
        access=wanted.get("access") or {"is_public": False},
        nics=nics(wanted.get("nics")),
        replica_of_id=source.id,
    )


def _wish(caller: Caller, wanted: Mapping[str, Any]) -> Wish:
    access = wanted.get("access") or {}
    zone = wanted.get("availability_zone")
    return Wish(caller.project_id, nics(wanted.get("nics")), access, availability_zone=zone)


def _copy(services: Services, caller: Caller, source: Instance) -> Backup:
    copy_id = new_id()
    return Backup(
        id=copy_id,
        name=f"copy of {source.id}",
        internal=True,
        project_id=source.project_id,
        user_id=caller.user_id,
        instance_id=source.id,
        strategy=Strategy.PHYSICAL,
        datastore_version_id=source.datastore_version_id,
        container=services.conf.object_store.container,
        prefix=f"{source.project_id}/{copy_id}/",
    )


def _arguments(
    services: Services,
    source: Instance,
    replicas: list[Instance],
    copy: Backup,
    flavor: Flavor,
    version: DatastoreVersion,
    first: bool,
) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "replica_ids": [replica.id for replica in replicas],
        "first": first,
        "replication": login(services, source, fresh=first),
        "backup_id": copy.id,
        "backup_ids": [copy.id],
        "strategy": copy.strategy,
        "parent": None,
        "flavor_id": flavor.id,
        "ram": flavor.ram,
        "vcpus": flavor.vcpus,
        "volume_size": source.volume_size,
        "volume_type": source.volume_type,
        "nics": replicas[0].nics,
        "access": replicas[0].access,
        "availability_zone": replicas[0].availability_zone,
        "locality": None,
        "overrides": {},
        "manager": version.manager,
    }

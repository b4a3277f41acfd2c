# SPDX-License-Identifier: Apache-2.0
"""Creating an instance: everything that can be wrong is found before anything is recorded."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from dbflow import operations, quota
from dbflow.cloud.base import Flavor, Wish
from dbflow.db.models import DatastoreVersion, Instance, new_id
from dbflow.services import configurations, datastores, images, instances, module_choice, names, restores, wishes
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, OverLimit
from dbflow.services.flavors import of_reference


@contended
def create(services: Services, caller: Caller, wanted: dict[str, Any]) -> tuple[str, str]:
    """Record the instance and its operation; returns the ids of both.

    ``wanted`` is the ``instance`` of a body that fits the schema.
    """
    if (wanted.get("replica_count") or 1) > 1:
        raise BadRequest("Replica count only valid when creating replicas. (replica_count)")
    if wanted.get("access"):
        wanted = {**wanted, "access": checked_access(wanted["access"])}
    with services.database.read() as session:
        version = datastores.for_create(session, wanted.get("datastore") or {})
    flavor = _flavor(services, wanted)
    size = volume_size(services, (wanted.get("volume") or {}).get("size"))
    databases, users = names.for_create(version.manager, wanted)
    instance = _instance(services, caller, wanted, version, flavor, size)
    wishes.must_be_granted(services, _wish(instance))
    image = images.of_version(services, version)
    arguments = _arguments(instance, flavor, version, image) | {"databases": databases, "users": users}
    point = (wanted.get("restorePoint") or {}).get("backupRef")
    kind = "instance.restore" if point else "instance.create"
    if point:
        _check_objects(services, caller, instance, point)
    with services.database.write() as session:
        if wanted.get("configuration"):
            group = configurations.usable(session, caller, wanted["configuration"], caller.project_id, version.id)
            instance.configuration_id = group.id
            arguments["overrides"] = dict(group.settings)
        if point:
            arguments |= _restore(session, caller, instance, point)
        reserve(services, session, caller.project_id, {"instances": 1, "ram": flavor.ram, "volumes": size})
        session.add(instance)
        session.flush()
        arguments["modules"] = module_choice.install(services, session, caller, wanted.get("modules"), instance)
        operation = instances.accept(services, session, caller, kind, instance, arguments)
        operations.lock_instance(session, instance.id, operation)
    services.post_accepted(operation)
    return instance.id, operation.id


def reserve(services: Services, session: Any, project_id: str, more: Mapping[str, int]) -> None:
    """See that the project may have ``more``; OverLimit names what it may not."""
    try:
        quota.reserve(session, services.conf, project_id, more)
    except quota.QuotaExceeded as error:
        raise OverLimit(str(error)) from None


def checked_access(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """As it is kept: ``allowed_cidrs`` as the networks they are for a firewall, each once. BadRequest when they are
    no IPv4 networks."""
    if not wanted.get("allowed_cidrs"):
        return dict(wanted)
    return {**wanted, "allowed_cidrs": list(dict.fromkeys(map(_network, wanted["allowed_cidrs"])))}


def _network(cidr: str) -> str:
    try:
        return str(ipaddress.IPv4Network(cidr, strict=False))
    except ValueError:
        raise BadRequest(f"Validation error: access allowed_cidrs: {cidr} is not an IPv4 network.") from None


def volume_size(services: Services, wanted: Any) -> int:
    """GiB of a volume as a body has it: a number, or its digits."""
    if wanted is None:
        raise BadRequest("Volume size was not specified. (volume.size)")
    size, largest = int(wanted), services.conf.quota.max_accepted_volume_size
    if size < 1:
        raise BadRequest("Validation error: volume.size must be at least 1.")
    if size > largest:
        raise OverLimit(f"volume.size exceeds the largest volume that is accepted, {largest} GiB.")
    return size


def _check_objects(services: Services, caller: Caller, instance: Instance, reference: str) -> None:
    """Before the transaction: the object store may be slow."""
    with services.database.read() as session:
        chain = restores.check(session, caller, reference, instance.datastore_version_id, instance.volume_size or 0)
    restores.check_objects(services, chain)


def _restore(session: Session, caller: Caller, instance: Instance, reference: str) -> dict[str, Any]:
    """The operation's arguments. From now on the backup can't be deleted until the instance is made."""
    version, size = instance.datastore_version_id, instance.volume_size or 0
    chain = restores.check(session, caller, reference, version, size, lock=True)
    instance.restoring_id = chain[-1].id
    return {"backup_ids": [backup.id for backup in chain]}


def _flavor(services: Services, wanted: dict[str, Any]) -> Flavor:
    reference = wanted.get("flavorRef", wanted.get("flavor"))
    if reference is None:
        raise BadRequest("Validation error: instance 'flavorRef' is a required property")
    return of_reference(services.flavors, reference)


def _instance(
    services: Services,
    caller: Caller,
    wanted: dict[str, Any],
    version: DatastoreVersion,
    flavor: Flavor,
    size: int,
) -> Instance:
    return Instance(
        id=new_id(),
        name=wanted["name"],
        project_id=caller.project_id,
        user_id=caller.user_id,
        datastore_version_id=version.id,
        flavor_id=flavor.id,
        ram=flavor.ram,
        volume_size=size,
        quota_volume=size,
        volume_type=(wanted.get("volume") or {}).get("type"),
        region=services.conf.api.region,
        availability_zone=wanted.get("availability_zone"),
        locality=wanted.get("locality"),
        access=wanted.get("access") or {"is_public": False},
        nics=nics(wanted.get("nics")),
    )


def _wish(instance: Instance) -> Wish:
    return Wish(
        instance.project_id,
        instance.nics,
        instance.access,
        volume_type=instance.volume_type,
        availability_zone=instance.availability_zone,
    )


def nics(wanted: Any) -> list[dict[str, Any]]:
    """Both spellings of the network's id become ``network_id``. BadRequest for an address that is none."""
    known = [
        {("network_id" if key == "net-id" else key): value for key, value in nic.items() if value is not None}
        for nic in wanted or []
    ]
    for nic in known:
        if "ip_address" in nic:
            _check_address(nic["ip_address"])
    return known


def _check_address(address: str) -> None:
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        raise BadRequest(f"Validation error: nics ip_address: {address} is not an IPv4 address.") from None


def _arguments(instance: Instance, flavor: Flavor, version: DatastoreVersion, image: str | None) -> dict[str, Any]:
    return {
        "flavor_id": flavor.id,
        "ram": flavor.ram,
        "vcpus": flavor.vcpus,
        "volume_size": instance.volume_size,
        "volume_type": instance.volume_type,
        "nics": instance.nics,
        "access": instance.access,
        "availability_zone": instance.availability_zone,
        "locality": instance.locality,
        "manager": version.manager,
        "image": image,
        "overrides": {},
    }

# SPDX-License-Identifier: Apache-2.0
"""Addresses of the loopback network, one an instance: a file ``addresses/<ip>`` that names its instance."""

import errno
import hashlib
import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping

from dbflow.cloud import base
from dbflow.cloud.local import files
from dbflow.cloud.local.layout import Layout, checked_id
from dbflow.cloud.local.locks import Locks

_LOCK = ".addresses"
_CANARY = "127.255.255.254"
"""An address that no instance gets: busy there means busy everywhere."""
_RESERVED = tuple(ipaddress.IPv4Network(net) for net in ("127.0.0.0/23", "127.255.0.0/16"))
_BLOCK = 1 << 16


class LocalNetworks(base.Networks):
    """Addresses of ``address_range`` on which ``port`` is free."""

    def __init__(self, layout: Layout, locks: Locks, address_range: str, port: int) -> None:
        self._layout = layout
        self._locks = locks
        self._first, self._count = _parse(address_range)
        self._port = port

    def create_port(
        self,
        instance_id: str,
        nics: list[Mapping[str, str]],
        access: Mapping[str, object],
        reach: base.Reach = base.NOBODY,
    ) -> base.Port:
        """Create or find. Every instance is on the loopback network, so nothing else changes anything."""
        checked_id(instance_id)
        with files.naming(f"Address of instance {instance_id}"), self._locks.hold(_LOCK):
            address = next(iter(self._addresses_of(instance_id)), None) or self._allocate(instance_id)
        return _port(address)

    def update_access(
        self, instance_id: str, access: Mapping[str, object], reach: base.Reach = base.NOBODY
    ) -> base.Port:
        """Changes nothing: whoever is on this machine reaches its loopback network, and nobody else does."""
        checked_id(instance_id)
        with files.naming(f"Address of instance {instance_id}"):
            for address in self._addresses_of(instance_id):
                return _port(address)
        raise base.NotFound(f"Address of instance {instance_id} cannot be found.")

    def delete_port(self, instance_id: str) -> None:
        """Free whatever address the instance has."""
        checked_id(instance_id)
        with files.naming(f"Address of instance {instance_id}"), self._locks.hold(_LOCK):
            files.discard_unfinished(self._layout.addresses)
            for address in self._addresses_of(instance_id):
                (self._layout.addresses / address).unlink(missing_ok=True)

    def taken(self) -> dict[str, str]:
        """Address -> instance id."""
        found = ((name, files.read_json(self._layout.addresses / name)) for name in files.names(self._layout.addresses))
        return {name: record["instance_id"] for name, record in found if record is not None}

    def _addresses_of(self, instance_id: str) -> list[str]:
        return [address for address, owner in self.taken().items() if owner == instance_id]

    def _allocate(self, instance_id: str) -> str:
        used = set(files.names(self._layout.addresses))
        for address in self._candidates(instance_id):
            if address in used:
                continue
            if not _is_free(address, self._port):
                if not _is_free(_CANARY, self._port):
                    raise base.OutOfCapacity(
                        f"Address of instance {instance_id}: another program of this machine listens on port "
                        f"{self._port} of every address; stop it, or set [local_cloud] port"
                    )
                continue
            if files.write_new(self._layout.addresses / address, f'{{"instance_id": "{instance_id}"}}'):
                return address
        raise base.OutOfCapacity(f"Address of instance {instance_id}: no address of the range is free")

    def _candidates(self, instance_id: str) -> Iterator[str]:
        """Every address of the range once, those of the state directory's own block first. The instance id decides
        where in the block it begins, so an address just freed is not soon another's."""
        blocks = -(-self._count // _BLOCK)
        place = os.fsencode(self._layout.root)
        first_block = _number(place) % blocks
        for turn in range(blocks):
            begin = (first_block + turn) % blocks * _BLOCK
            length = min(_BLOCK, self._count - begin)
            start = _number(place + b"/" + instance_id.encode()) % length
            for step in range(length):
                offset = begin + (start + step) % length
                address = ipaddress.IPv4Address(self._first + offset)
                if address.packed[3] not in (0, 255):
                    yield str(address)


def _port(address: str) -> base.Port:
    return base.Port(id=address, addresses=({"address": address, "type": "private", "network": "loopback"},))


def _number(text: bytes) -> int:
    return int.from_bytes(hashlib.sha256(text).digest()[:8])


def _is_free(address: str, port: int) -> bool:
    # Without SO_REUSEADDR the kernel refuses when anybody has the port on this address or on the wildcard,
    # IPv4 or IPv6, and while connections of a former owner linger.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def _parse(address_range: str) -> tuple[int, int]:
    """(first address, number of addresses). CloudError when it is not a usable range."""
    try:
        first, last = (ipaddress.IPv4Address(part.strip()) for part in address_range.split("-"))
    except ValueError:
        raise base.CloudError(f"[local_cloud] address_range: {address_range!r} is not FIRST-LAST") from None
    if first > last or not (first.is_loopback and last.is_loopback):
        raise base.CloudError(f"[local_cloud] address_range: {address_range!r} is not a range within 127.0.0.0/8")
    for net in _RESERVED:
        if first <= net.broadcast_address and last >= net.network_address:
            raise base.CloudError(f"[local_cloud] address_range: {address_range!r} touches {net}, which is reserved")
    return int(first), int(last) - int(first) + 1

# SPDX-License-Identifier: Apache-2.0
"""What dbflow asks of a cloud: small interfaces, each operation create-or-find or delete-or-gone.

Every resource is named after what it is for (an instance id), so a call whose answer was lost is made again
without harm: ``create`` returns the resource of that name when there is one, ``delete`` of something gone
succeeds. A call returns when the cloud says that the resource is usable (or gone). A driver for which that takes
longer than a moment raises :class:`dbflow.waits.NotYet` instead of holding a thread, and the call is made again.
"""

import abc
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence

UNDONE = " undone"
"""Behind what names a rebuild: the one that takes it back."""


class CloudError(Exception):
    """The cloud refused or failed. ``str()`` names the resource and is fit for a user to read."""


class NotFound(CloudError):
    """No such flavor, image, server …; the message names it."""


class OutOfCapacity(CloudError):
    """The cloud has no room (quota, no free address)."""


class Transient(CloudError):
    """What was begun has failed for want of something that may be back in a minute: a host that was silent for a while
    counts as down. Nothing is left of it; the call made again begins anew."""


class Unavailable(CloudError):
    """The cloud did not answer; trying again may help."""


@dataclasses.dataclass(frozen=True)
class Flavor:
    """A size of server."""

    id: str
    name: str
    ram: int
    """MiB"""
    vcpus: int
    disk: int = 0
    """GiB of root disk"""
    ephemeral: int = 0
    """GiB"""


@dataclasses.dataclass(frozen=True)
class Port:
    """An address reserved for an instance."""

    id: str
    addresses: tuple[Mapping[str, str], ...]
    """({"address": "127.0.3.1", "type": "private", "network": "…"}, …)"""
    hostname: str | None = None
    """The name that leads to it, where the cloud gives names."""


@dataclasses.dataclass(frozen=True)
class Reach:
    """What of an instance is to be reached, and by whom besides those that its access names."""

    project_id: str | None = None
    """Its owner's: all instances of a project reach each other, as replicas do their source."""
    ports: tuple[int, ...] = ()
    """TCP"""


NOBODY = Reach()


@dataclasses.dataclass(frozen=True)
class Wish:
    """What somebody asks for, in words that only a cloud understands."""

    project_id: str
    """Whose networks may be used."""
    nics: Sequence[Mapping[str, str]] | None = None
    """As of ``Networks.create_port``; None where there is a port already."""
    access: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """As of ``Networks.update_access``."""
    volume_type: str | None = None
    availability_zone: str | None = None


class Unsuitable(CloudError):
    """A wish that the cloud can't grant. ``str()`` says why."""

    def __init__(self, message: str, field: str) -> None:
        """``field``: the one that is wrong, as a request has it: "nics", "volume.type" …"""
        super().__init__(message)
        self.field = field


@dataclasses.dataclass(frozen=True)
class Volume:
    """Storage of an instance's data."""

    id: str
    size: int
    """GiB"""
    type: str | None
    device: str
    """What the guest mounts: a block device, or (local cloud) the directory itself."""


@dataclasses.dataclass(frozen=True)
class Server:
    """A machine: on OpenStack a Nova server, on the local cloud a guest agent's process."""

    id: str
    name: str
    status: str
    """ACTIVE, SHUTOFF, ERROR, VERIFY_RESIZE"""
    flavor_id: str
    image: str | None = None
    """Id of the image that it was made of; None where it was made without one (local cloud)."""
    host: str | None = None
    """Name of the machine that it is on; None while it is on none."""


@dataclasses.dataclass(frozen=True)
class Image:
    """What servers are made of."""

    id: str
    name: str
    tags: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Boot:
    """What a new server is given."""

    instance_id: str
    flavor_id: str
    image: str | None
    port: Port
    volume: Volume | None
    files: Mapping[str, str]
    """Path below the guest's configuration directory -> contents; holds the instance's message key (secret)."""
    availability_zone: str | None = None
    locality: str | None = None
    """affinity, anti-affinity, or soft ones: where the server is to be, seen from those ``beside`` it."""
    beside: str | None = None
    """Id of the instance whose servers' place counts: the source of a replica."""
    manager: str | None = None
    """The datastore's manager; the local cloud keeps its images by that name."""


class Flavors(abc.ABC):
    """Sizes on offer."""

    @abc.abstractmethod
    def list(self) -> list[Flavor]:
        """All flavors, by RAM."""

    @abc.abstractmethod
    def get(self, flavor_id: str) -> Flavor:
        """NotFound when there is none of that id."""


class Images(abc.ABC):
    """What servers can be made of."""

    @abc.abstractmethod
    def get(self, image_id: str) -> Image:
        """NotFound when there is none of that id, or none that can be used."""

    @abc.abstractmethod
    def tagged(self, tags: Sequence[str]) -> Image:
        """The newest that has all of the tags. NotFound when there is none."""


class Networks(abc.ABC):
    """Addresses."""

    @abc.abstractmethod
    def create_port(
        self,
        instance_id: str,
        nics: list[Mapping[str, str]],
        access: Mapping[str, object],
        reach: Reach = NOBODY,
    ) -> Port:
        """Create or find the instance's port, as ``nics`` ({"network_id", "subnet_id", "ip_address"}, each optional)
        and ``update_access`` say; nobody else has its address. OutOfCapacity when none is free."""

    @abc.abstractmethod
    def update_access(self, instance_id: str, access: Mapping[str, object], reach: Reach = NOBODY) -> Port:
        """Let the instance be reached as ``access`` says: {"is_public": bool, "allowed_cidrs": ["10.0.0.0/24", …]},
        whatever it was before; its port, with the addresses that it has now. A key that is not there is false or
        everybody. NotFound when it has no port."""

    @abc.abstractmethod
    def delete_port(self, instance_id: str) -> None:
        """Delete whatever port the instance has."""


class Volumes(abc.ABC):
    """Storage."""

    @abc.abstractmethod
    def create(self, instance_id: str, size: int, volume_type: str | None) -> Volume:
        """Create or find; ``size`` in GiB."""

    @abc.abstractmethod
    def get(self, instance_id: str) -> Volume:
        """NotFound when the instance has none."""

    @abc.abstractmethod
    def resize(self, instance_id: str, size: int) -> Volume:
        """Extend to ``size`` GiB; a volume already of that size is fine. Never shrinks data away: to undo an
        extension the record goes back where the driver can, else the larger size stays (and is returned)."""

    @abc.abstractmethod
    def delete(self, instance_id: str) -> None:
        """Delete the volume and its data."""


class Servers(abc.ABC):
    """Machines."""

    @abc.abstractmethod
    def create(self, boot: Boot) -> Server:
        """Create or find by instance id, and wait for ACTIVE. The guest may still be booting then."""

    @abc.abstractmethod
    def get(self, instance_id: str) -> Server:
        """NotFound when there is none."""

    def several(self, instance_ids: Sequence[str]) -> dict[str, Server]:
        """Those of them that there are, by instance id. For drivers that can ask for many at once to override."""
        found = {}
        for instance_id in instance_ids:
            with contextlib.suppress(NotFound):
                found[instance_id] = self.get(instance_id)
        return found

    @abc.abstractmethod
    def hosts(self) -> list[str]:
        """Names of the hosts that servers can be moved to now."""

    @abc.abstractmethod
    def resize(self, instance_id: str, flavor_id: str) -> Server:
        """Change the flavor; the machine reboots. A server already of that flavor is fine. Returns when the
        server is ACTIVE on the new flavor or waits in VERIFY_RESIZE for a decision."""

    @abc.abstractmethod
    def confirm_resize(self, instance_id: str) -> None:
        """Make a resize or a migration final; fine when there is nothing to confirm."""

    @abc.abstractmethod
    def revert_resize(self, instance_id: str, flavor_id: str) -> Server:
        """Back to ``flavor_id``, whether the resize awaits confirmation, was confirmed or never began."""

    @abc.abstractmethod
    def migrate(self, instance_id: str, old_host: str, host: str | None) -> Server:
        """Move the machine from ``old_host`` to ``host``, or, None, to one that the cloud chooses; it reboots, and its
        volume and its address follow. A server that is not on ``old_host`` any more has been moved. Returns when the
        server is ACTIVE there or waits in VERIFY_RESIZE for a decision. NotFound when there is no such host,
        OutOfCapacity or Transient when none has room."""

    @abc.abstractmethod
    def revert_migration(self, instance_id: str, old_host: str) -> Server:
        """Back to ``old_host``, whether the migration awaits confirmation, was confirmed or never began; returns when
        the server is ACTIVE there."""

    @abc.abstractmethod
    def reboot(self, instance_id: str, once: str) -> None:
        """Restart the machine, and wait for ACTIVE. Asked for again with the same ``once`` it is the same reboot, as
        far as the cloud can tell."""

    @abc.abstractmethod
    def rebuild(self, instance_id: str, image: str | None, files: Mapping[str, str], once: str) -> None:
        """Make the machine anew of an image, with the same volume and address, and wait for ACTIVE. What was on its own
        disk may be lost. ``files`` as of Boot. Asked for again with the same ``once`` it is the same rebuild; after
        one with that and UNDONE behind it, it comes too late and does nothing."""

    @abc.abstractmethod
    def fence(self, instance_id: str) -> None:
        """Stop it, whatever state it is in, and wait until everything that ran on it has ended. It stays stopped until
        ``unfence``; should somebody start it all the same, its guest finds guestconfig.FENCED_FILE and keeps the
        database read-only. Fine when it is fenced."""

    @abc.abstractmethod
    def unfence(self, instance_id: str) -> None:
        """Start it again as it was, and wait for ACTIVE; fine when it is not fenced."""

    @abc.abstractmethod
    def delete(self, instance_id: str) -> None:
        """Delete and wait until it is gone; everything that ran on it has ended."""


class Cloud(abc.ABC):
    """A driver: the interfaces, and what it owns."""

    flavors: Flavors
    images: Images
    networks: Networks
    volumes: Volumes
    servers: Servers

    def impatient(self, seconds: float) -> "Cloud":
        """The same for those who keep somebody waiting: Unavailable when it has said nothing for so long. For drivers
        that ask over a network to override."""
        return self

    @abc.abstractmethod
    def inventory(self) -> dict[str, list[str]]:
        """Everything that carries our name, for orphan checks: {"servers": [instance id, …], "volumes": …,
        "ports": …, "processes": …}; each list sorted, one entry a resource."""

    @abc.abstractmethod
    def owned(self) -> dict[str, set[str]]:
        """{"server": instance ids, "volume": …, "port": …}: whose resources there are, complete or not."""

    def remove(self, kind: str, instance_id: str) -> None:
        """Delete whatever an instance has of a kind that :meth:`owned` names."""
        delete = {
            "server": self.servers.delete,
            "volume": self.volumes.delete,
            "port": self.networks.delete_port,
        }
        delete[kind](instance_id)

    def check(self, wish: Wish) -> None:  # noqa: B027
        """Raise Unsuitable for what can be told beforehand to fail. For drivers to whom any of it means something to
        override. CloudError when the cloud does not tell."""

    def missing(self) -> list[str]:
        """What the configuration names and the cloud does not have, as "option: value". For drivers whose options name
        anything to override. CloudError when the cloud does not tell."""
        return []

    def prepare(self) -> list[str]:
        """Make what later creates are quicker for, once (it may take tens of seconds); what was prepared."""
        return []

    @abc.abstractmethod
    def keep(self) -> None:
        """Called every few seconds by the leader: bring back what should run but does not (local cloud)."""

# SPDX-License-Identifier: Apache-2.0
"""OpenStack's driver."""

import contextlib
from collections.abc import Callable

from oslo_config import cfg

from dbflow.cloud import base
from dbflow.cloud.openstack.attachments import Attachments
from dbflow.cloud.openstack.booting import Booting
from dbflow.cloud.openstack.checks import Checks
from dbflow.cloud.openstack.client import Client, Json
from dbflow.cloud.openstack.deployment import Deployment
from dbflow.cloud.openstack.dns import HostNames
from dbflow.cloud.openstack.fencing import Fencing
from dbflow.cloud.openstack.flavors import NovaFlavors
from dbflow.cloud.openstack.floating import FloatingAddresses
from dbflow.cloud.openstack.groups import ServerGroups
from dbflow.cloud.openstack.hosts import Hosts
from dbflow.cloud.openstack.images import GlanceImages
from dbflow.cloud.openstack.migrating import Migrating
from dbflow.cloud.openstack.names import Names
from dbflow.cloud.openstack.networks import NeutronNetworks, Places
from dbflow.cloud.openstack.nova import Nova
from dbflow.cloud.openstack.resizing import Resizing
from dbflow.cloud.openstack.securitygroups import SecurityGroups
from dbflow.cloud.openstack.servers import NovaServers
from dbflow.cloud.openstack.unbuilt import Unbuilt
from dbflow.cloud.openstack.volumes import CinderVolumes
from dbflow.cloud.openstack.waiting import Waiting


class OpenStackCloud(base.Cloud):
    """The services of the catalog, used as ``[openstack]`` says. Asks nobody before it is asked."""

    def __init__(self, conf: cfg.ConfigOpts, timeout: float | None = None) -> None:
        """``timeout`` in seconds, in place of ``[openstack] timeout``."""
        options, self._conf = conf.openstack, conf
        client = Client(conf, timeout or options.timeout)
        names, waiting = Names(options.name_prefix), Waiting(options.poll_interval)
        default = options.networks[0] if options.networks else None
        self._security = SecurityGroups(client.network, names, client.project_id)
        self._floating = FloatingAddresses(client.network, names, client.project_id, options.public_network)
        self._hosts = HostNames(client.dns, names, waiting, options.dns_zone, options.dns_ttl)
        self._names = names
        networks = self._networks = NeutronNetworks(
            client.network,
            names,
            client.project_id,
            Places(default, options.management_network, tuple(options.management_security_groups)),
            self._security,
            self._floating,
            self._hosts,
        )
        nova = self._nova = Nova(client.compute, names, waiting, networks.server)
        volumes = self._volumes = CinderVolumes(
            client.block_storage,
            names,
            waiting,
            Attachments(client.block_storage, client.compute),
            options.volume_type,
            options.volume_availability_zone,
            lambda instance_id: nova.find(instance_id) is not None,
        )
        self._groups = ServerGroups(nova, names, self._has_port)
        booting = Booting(
            names,
            networks,
            volumes,
            zone=options.availability_zone,
            filesystem=options.filesystem,
            users=options.guest_users,
        )
        hosts, resizing = Hosts(client.compute), Resizing(nova)
        self.flavors = NovaFlavors(client.compute)
        self.images = GlanceImages(client.image, client.project_id)
        self.networks, self.volumes = networks, volumes
        self.servers = NovaServers(
            nova,
            names,
            self._groups,
            volumes,
            booting,
            hosts,
            resizing,
            Migrating(nova, hosts, resizing),
            Fencing(nova, client.compute, networks, volumes, hosts, resizing),
            Unbuilt(nova, networks, hosts),
        )
        checks = self._checks = Checks(
            client.compute,
            client.network,
            volumes.types,
            default_network=default,
            management_network=options.management_network,
            public_network=options.public_network,
        )
        self._deployment = Deployment(options, client.network, volumes.types, checks.zones, self._hosts.lost)

    def impatient(self, seconds: float) -> base.Cloud:
        """With a connection of its own."""
        return OpenStackCloud(self._conf, min(seconds, self._conf.openstack.timeout))

    def check(self, wish: base.Wish) -> None:
        """Volume type, availability zone, networks, public access."""
        self._checks.check(wish)

    def missing(self) -> list[str]:
        """Networks, security groups, volume type, zones."""
        return list(self._deployment.missing())

    def inventory(self) -> dict[str, list[str]]:
        """Whatever exists, complete or not, by instance id; shared security groups by name."""
        groups = [self._names.instance(group["name"]) or group["name"] for group in self._security.all()]
        return {
            "servers": sorted(self._nova.all()),
            "server groups": sorted(group["name"] for group in self._groups.all()),
            "volumes": sorted(self._volumes.all()),
            "ports": self._ids(self._networks.all, "name"),
            "security groups": sorted(groups),
            "floating addresses": self._ids(self._floating.all, "description"),
            "names": self._ids(self._hosts.all, "description"),
        }

    def owned(self) -> dict[str, set[str]]:
        """What leads to a port counts as the port, a group without a server as the server."""
        groups = (self._names.instance(group["name"]) for group in self._groups.stale())
        security = (self._names.instance(group["name"]) for group in self._security.all())
        return {
            "server": {*self._nova.all(), *filter(None, groups)},
            "volume": set(self._volumes.all()),
            "port": {
                *self._ids(self._networks.all, "name"),
                *filter(None, security),
                *self._ids(self._floating.all, "description"),
                *self._ids(self._hosts.all, "description"),
            },
        }

    def keep(self) -> None:
        """Nothing: Nova keeps servers running."""

    def _has_port(self, instance_id: str) -> bool:
        with contextlib.suppress(base.NotFound):
            self._networks.main(instance_id)
            return True
        return False

    def _ids(self, found: Callable[[], list[Json]], key: str) -> list[str]:
        """Of the instances that what was found is named after."""
        return sorted(filter(None, (self._names.instance(one[key]) for one in found())))

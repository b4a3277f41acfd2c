# SPDX-License-Identifier: Apache-2.0
"""The local cloud's driver."""

import pathlib
import sys
from collections.abc import Sequence

from oslo_config import cfg

from dbflow.cloud import base
from dbflow.cloud.local import files
from dbflow.cloud.local.addresses import LocalNetworks
from dbflow.cloud.local.flavors import LocalFlavors
from dbflow.cloud.local.hosts import LocalHosts
from dbflow.cloud.local.images import LocalImages
from dbflow.cloud.local.layout import Layout
from dbflow.cloud.local.locks import Locks
from dbflow.cloud.local.owner import find_owner
from dbflow.cloud.local.prepared import Prepared
from dbflow.cloud.local.processes import Processes
from dbflow.cloud.local.servers import LocalServers, Settings
from dbflow.cloud.local.volumes import LocalVolumes

AGENT = (sys.executable, "-m", "guest.main")


class LocalCloud(base.Cloud):
    """This machine as a cloud, as ``[local_cloud]`` describes it.

    Any number of objects in any number of processes may work on one state directory. Raises CloudError when the
    configuration can't work on this machine; the message names what to do.
    """

    def __init__(self, conf: cfg.ConfigOpts, command: Sequence[str] = AGENT) -> None:
        options = conf.local_cloud
        layout = Layout(options.state_dir, options.image_dir, find_owner(options.run_as))
        locks = Locks(layout.locks, options.lock_timeout)
        self._layout = layout
        self._hosts = LocalHosts(layout, options.hosts)
        self._processes = Processes(str(layout.root))
        self.flavors = LocalFlavors(options.flavors)
        images = self.images = LocalImages(pathlib.Path(options.rootfs_dir))
        self._prepared = Prepared(layout, locks, self._processes, options.image_timeout)
        self.volumes = LocalVolumes(layout, locks)
        self._networks = LocalNetworks(layout, locks, options.address_range, options.port)
        self._servers = LocalServers(
            layout,
            self._hosts,
            locks,
            self._processes,
            self.flavors,
            images,
            self._prepared,
            Settings(command, options.port, options.stop_timeout, options.delete_timeout),
        )
        self.networks = self._networks
        self.servers = self._servers

    def prepare(self) -> list[str]:
        """Build missing data directories (tens of seconds, once); returns the managers that have one."""
        return self._prepared.prepare()

    def inventory(self) -> dict[str, list[str]]:
        """Whatever exists, complete or not. Ports as "<instance id> <address>", processes as "<instance id> <name>
        <pid>", the others as instance ids."""
        ports = [f"{instance_id} {address}" for address, instance_id in self._networks.taken().items()]
        return {
            "servers": self._hosts.servers(),
            "volumes": files.names(self._layout.volumes),
            "ports": sorted(ports),
            "processes": sorted(str(found) for found in self._processes.all()),
        }

    def owned(self) -> dict[str, set[str]]:
        """A process that bears a server's mark is one, whether or not there is a directory."""
        return {
            "server": {*self._hosts.servers(), *(found.server for found in self._processes.all())},
            "volume": set(files.names(self._layout.volumes)),
            "port": set(self._networks.taken().values()),
        }

    def keep(self) -> None:
        """Start again the agents that should run but do not."""
        self._servers.keep()

# SPDX-License-Identifier: Apache-2.0
"""MariaDB on a guest."""

from typing import ClassVar

from dbflow.datastores.mariadb import MariaDB
from guest.datastores import base
from guest.datastores.base import Machine
from guest.datastores.mariadb import tls
from guest.datastores.mariadb.accounts import Accounts
from guest.datastores.mariadb.backups import Backups
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.configuration import Configuration
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.lifecycle import Lifecycle
from guest.datastores.mariadb.logs import Logs
from guest.datastores.mariadb.replication import Replication
from guest.datastores.mariadb.scripts import Scripts
from guest.datastores.mariadb.server import Server
from guest.datastores.mariadb.upgrade import Upgrade


class Datastore(base.Datastore):
    """The plug-in."""

    default_port: ClassVar[int] = MariaDB.ports[0]

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        layout = Layout.of(machine)
        client = Client(layout)
        server = Server(layout, client, tls.options)
        self.lifecycle = Lifecycle(layout, client, server)
        self.configuration = Configuration(layout, client, server)
        self.logs = Logs(layout, client)
        self.upgrade = Upgrade(layout, client, server, self.lifecycle)
        self.backups = Backups(layout, client, self.lifecycle)
        self.accounts = Accounts(client, layout)
        self.replication = Replication(layout, client)
        self.tls = tls.Tls(layout, client, server, self.lifecycle)
        self.scripts = Scripts(layout, client)

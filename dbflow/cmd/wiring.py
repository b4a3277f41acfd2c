# SPDX-License-Identifier: Apache-2.0
"""Putting the parts together: every service is made of these, as its configuration says."""

import dataclasses
import logging
from collections.abc import Sequence

from oslo_config import cfg
from oslo_log import log

from conductor.figures import Figures
from conductor.health import HealthBook
from conductor.service import ConductorService, unique_name
from dbflow import cloud, conf, logcontext, objectstore
from dbflow.boardwatch import Watcher
from dbflow.cloud.base import Cloud
from dbflow.crypto import Keyring
from dbflow.db.session import Database
from dbflow.guestkeys import GuestKeys
from dbflow.jobboard import Boards
from dbflow.leftovers import Leftovers
from dbflow.messaging.census import Census
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.heartbeats import OnHeartbeat
from dbflow.messaging.logins import Logins, logins
from dbflow.metrics import Metrics
from dbflow.notifications.outbox import Outbox
from dbflow.objectstore import ObjectStore
from dbflow.orphans import Orphanage
from dbflow.services.context import Services
from dbflow.services.flavors import FlavorCache

LOG = logging.getLogger(__name__)


def configure(arguments: Sequence[str] | None = None, default_files: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """The process's configuration, from files and arguments; logging is set up as it says."""
    logcontext.install()
    log.register_options(conf.CONF)
    conf.CONF.set_default("logging_context_format_string", logcontext.FORMAT)
    conf.CONF.set_default("logging_exception_prefix", logcontext.PREFIX)
    conf.register(conf.CONF)
    files = None if default_files is None else list(default_files)
    conf.CONF(arguments, project="dbflow", default_config_files=files)
    log.setup(conf.CONF, "dbflow")
    return conf.CONF


@dataclasses.dataclass
class Parts:
    """What a process has one of."""

    conf: cfg.ConfigOpts
    database: Database
    keyring: Keyring
    guest_keys: GuestKeys
    cloud: Cloud
    objects: ObjectStore
    boards: Boards
    metrics: Metrics

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Parts":
        """Connects to nothing yet."""
        database = Database.from_conf(conf)
        keyring = Keyring.from_file(conf.security.key_file)
        keys = GuestKeys(database, keyring)
        return cls(conf, database, keyring, keys, cloud.load(conf), objectstore.load(conf), Boards(conf), Metrics())

    def dispatcher(self, on_heartbeat: OnHeartbeat | None = None) -> Dispatcher:
        """The one thing of this process that talks to guests."""
        options = self.conf.messaging
        return Dispatcher(
            options.url,
            options.exchange,
            unique_name(),
            self.guest_keys,
            resend=options.resend,
            guest_lost_after=options.guest_lost_after,
            pending_timeout=options.pending_timeout,
            take_call=options.take_call_timeout,
            on_heartbeat=on_heartbeat,
            logins=self._logins(),
        )

    def _logins(self) -> Logins:
        options = self.conf.messaging
        made = logins(options.guest_url or options.url, options.exchange, options.management_url)
        if not made.named:
            LOG.warning("guests share the broker's login of [messaging] url; management_url gives each its own")
        return made

    def orphanage(self, dispatcher: Dispatcher) -> Orphanage:
        """Who finds what no instance needs."""
        leftovers = Leftovers(self.database, self.objects, self.conf.object_store.url_lifetime)
        return Orphanage(self.database, self.cloud, Census(self.conf.messaging, dispatcher), leftovers)

    def conductor(self, dispatcher: Dispatcher, health: HealthBook | None) -> ConductorService:
        """A conductor; ``health`` for the one of the process that writes heartbeats down."""
        return ConductorService(
            self.conf,
            self.database,
            self.keyring,
            self.guest_keys,
            self.cloud,
            self.boards,
            dispatcher,
            health,
            self.metrics,
        )

    def figures(self, conductors: Sequence[ConductorService], dispatcher: Dispatcher) -> None:
        """Let Prometheus ask for them, if it is to. What it can't be told keeps no conductor from its work."""
        options = self.conf.metrics
        if options.conductor_port is None:
            return
        figures = Figures(conductors, dispatcher, self.database, self.conf.messaging.heartbeat_expiry)
        figures.tell(self.metrics)
        try:
            self.metrics.serve(options.bind_host, options.conductor_port)
        except OSError as error:
            LOG.error("no figures for Prometheus: port %d: %s", options.conductor_port, error)
            return
        figures.keep()

    def services(self, dispatcher: Dispatcher) -> Services:
        """What the API answers with."""
        asked = self.cloud.impatient(self.conf.api.cloud_timeout)
        flavors = FlavorCache(asked.flavors, self.conf.api.flavor_cache)
        watcher = Watcher(self.boards, unique_name())
        poster = self.boards.poster()
        return Services(
            self.conf,
            self.database,
            self.keyring,
            flavors,
            asked.images,
            asked.servers,
            dispatcher,
            self.objects,
            poster.post,
            watcher.jobs,
            asked.check,
            Outbox.from_conf(self.conf),
            self.metrics,
            {"sql": self.database.ping, "zookeeper": poster.ping, "broker": dispatcher.ping},
        )

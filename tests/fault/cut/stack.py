# SPDX-License-Identifier: Apache-2.0
"""The services on real parts, each reached over a link that can be cut."""

import pathlib

from tests.fault.cut.links import GUESTS_BROKER, broker_of_conductor, lay, zookeeper_of_conductor
from tests.fault.sweep.run import SETTINGS
from tests.functional.stack import RealStack
from tests.functional.stack.process import Service
from tests.functional.stack.real import CONDUCTORS
from tests.servers.ports import LOOPBACK


class CutStack(RealStack):
    """Guests, and each conductor, with links of their own to the broker; each conductor with one to ZooKeeper."""

    def __init__(self, images: pathlib.Path) -> None:
        """In a network namespace of our own."""
        numbers = range(CONDUCTORS)
        lay([GUESTS_BROKER, *map(broker_of_conductor, numbers), *map(zookeeper_of_conductor, numbers)])
        # So that a backup of little has a middle.
        super().__init__(images, {**SETTINGS, "backups": {"segment_size": 1}})
        self.conductors = [self._conductor(number) for number in numbers]

    def link_of(self, kind: str, conductor: Service) -> str:
        """The address of a kind of link; those of conductors are of this one."""
        number = self.conductors.index(conductor)
        return {
            "guests-broker": GUESTS_BROKER,
            "conductor-broker": broker_of_conductor(number),
            "conductor-zookeeper": zookeeper_of_conductor(number),
        }[kind]

    def _conductor(self, number: int) -> Service:
        files = ["--config-file", str(self.conf), "--config-file", str(self._conf_of(number))]
        return self.service(f"conductor-{number}", ["dbflow-conductor", *files], self._conducts)

    def _conf_of(self, number: int) -> pathlib.Path:
        return self.directory / f"conductor-{number}.conf"

    def _install(self) -> None:
        self.set("messaging", guest_url=self._broker(GUESTS_BROKER))
        super()._install()
        for number in range(CONDUCTORS):
            hosts = self.zookeeper.hosts.replace(LOOPBACK, zookeeper_of_conductor(number))
            # Guests find the broker by the main file's guest_url, whichever conductor makes them.
            url = self._broker(broker_of_conductor(number))
            self._conf_of(number).write_text(f"[coordination]\nhosts = {hosts}\n[messaging]\nurl = {url}\n")

    def _broker(self, address: str) -> str:
        return self.rabbitmq.url().replace(LOOPBACK, address)

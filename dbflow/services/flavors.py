# SPDX-License-Identifier: Apache-2.0
"""Flavors, remembered for a while: a cloud is asked once for many requests."""

import logging
import threading
import time

from dbflow.cloud.base import CloudError, Flavor, Flavors
from dbflow.db.models import Instance
from dbflow.services.errors import BadRequest, NotFound, Unavailable

LOG = logging.getLogger(__name__)


class FlavorCache:
    """All flavors of a cloud, at most ``ttl`` seconds old. Safe for threads."""

    def __init__(self, source: Flavors, ttl: float = 30.0) -> None:
        self._source = source
        self._ttl = ttl
        self._lock = threading.Lock()
        self._known: dict[str, Flavor] = {}
        self._until = 0.0

    def list(self) -> list[Flavor]:
        """By RAM."""
        return list(self._all().values())

    def find(self, flavor_id: str) -> Flavor | None:
        """Of those that are known."""
        return self._all().get(flavor_id)

    def get(self, flavor_id: str) -> Flavor:
        """NotFound when there is none of that id. The cloud is asked for one that is not known: it may be new."""
        flavor = self.find(flavor_id)
        if flavor is None:
            # Nobody who asks for a flavor that is known waits for this.
            flavors = self._ask()
            with self._lock:
                self._remember(flavors)
            flavor = flavors.get(flavor_id)
        if flavor is None:
            raise NotFound(f"Flavor {flavor_id} cannot be found.")
        return flavor

    def _all(self) -> dict[str, Flavor]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._remember(self._ask_or_known())
            return self._known

    def _ask_or_known(self) -> dict[str, Flavor]:
        try:
            return self._ask()
        except Unavailable as error:
            if not self._known:
                raise
            LOG.warning("the cloud does not tell its flavors, the last known are used: %s", error.__cause__)
            return self._known

    def _ask(self) -> dict[str, Flavor]:
        try:
            return {flavor.id: flavor for flavor in self._source.list()}
        except CloudError as error:
            raise Unavailable("The cloud does not tell its flavors just now.") from error

    def _remember(self, flavors: dict[str, Flavor]) -> None:
        self._known, self._until = flavors, time.monotonic() + self._ttl


def of_reference(flavors: FlavorCache, reference: str | int) -> Flavor:
    """The flavor that a ``flavorRef`` means: an id, a number, or a link that ends in it. BadRequest else."""
    flavor_id = str(reference).rstrip("/").rsplit("/", 1)[-1]
    try:
        return flavors.get(flavor_id)
    except NotFound:
        raise BadRequest(f"Resource {flavor_id[:255]} cannot be found. (flavorRef)") from None


def size_of(flavors: FlavorCache, instance: Instance) -> dict[str, int]:
    """{"ram": MiB, "vcpus"} of an instance's machine, also when its flavor is not on offer any more."""
    found = flavors.find(instance.flavor_id)
    return {"ram": found.ram if found else instance.ram, "vcpus": found.vcpus if found else 1}

# SPDX-License-Identifier: Apache-2.0
"""What runs of a cloud."""

import enum
from collections.abc import Iterator

from devcloud import ready
from devcloud.guests.state import all_of
from devcloud.processes import Process
from devcloud.services import chosen
from devcloud.settings import Settings


class State(enum.IntEnum):
    """Also the command's exit status."""

    UP = 0
    BROKEN = 1
    DOWN = 3


def state(settings: Settings) -> State:
    """UP when all that was started lives and every API answers; DOWN when nothing is started."""
    processes = Process.all(settings)
    if not processes:
        return State.DOWN
    healthy = all(process.alive for process in processes) and all(map(ready.answers, chosen(settings)))
    return State.UP if healthy else State.BROKEN


def report(settings: Settings) -> Iterator[str]:
    """Lines for people."""
    found = state(settings).name.lower()
    yield f"devcloud in {settings.directory} ({settings.mode}, ports from {settings.port_base}): {found}"
    for process in Process.all(settings):
        told = f"process {process.pid}" if process.alive else f"dead: see {process.log}"
        yield f"  {process.name:17} {told}"
    for service in chosen(settings):
        told = "answers" if ready.answers(service) else "does not answer"
        yield f"  {service.name:17} {settings.url(service.name)} {told}"
    for guest in all_of(settings.directory):
        if guest.exists:
            yield f"  server {guest.uuid} {guest.read('guest')['hostname']}: {guest.power}"

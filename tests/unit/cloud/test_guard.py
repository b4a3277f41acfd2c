# SPDX-License-Identifier: Apache-2.0
"""What a claim asked for that was overtaken while it waited for the lock is not done."""

import pathlib
import threading
from collections.abc import Callable

import pytest

from dbflow.cloud.base import Boot, Port
from dbflow.cloud.guard import checking
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud.conftest import leftovers

Call = Callable[[LocalCloud, str], object]


class Overtaken(Exception):
    """What a claim's check raises."""


def _overtaken() -> None:
    raise Overtaken


def _server(cloud: LocalCloud, instance_id: str) -> object:
    address = {"address": "127.0.2.1", "type": "private", "network": "loopback"}
    return cloud.servers.create(Boot(instance_id, "1", None, Port("p", (address,)), None, {}))


CALLS: dict[str, Call] = {
    "port": lambda cloud, instance_id: cloud.networks.create_port(instance_id, [], {}),
    "volume": lambda cloud, instance_id: cloud.volumes.create(instance_id, 1, None),
    "server": _server,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_nothing_is_made(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str, call: Call) -> None:
    with checking(_overtaken), pytest.raises(Overtaken):
        call(cloud, instance_id)
    assert leftovers(state_dir) == []
    assert cloud.owned() == {"server": set(), "volume": set(), "port": set()}


def test_nothing_is_removed(cloud: LocalCloud, instance_id: str) -> None:
    CALLS["port"](cloud, instance_id)
    CALLS["volume"](cloud, instance_id)
    with checking(_overtaken):
        for kind in ("port", "volume"):
            with pytest.raises(Overtaken):
                cloud.remove(kind, instance_id)
    assert cloud.owned() == {"server": set(), "volume": {instance_id}, "port": {instance_id}}
    for kind in ("server", "port", "volume"):
        cloud.remove(kind, instance_id)
    assert cloud.owned() == {"server": set(), "volume": set(), "port": set()}


def test_a_claim_that_stands_is_served_and_others_are_not_asked(cloud: LocalCloud, instance_id: str) -> None:
    asked = []
    with checking(lambda: asked.append(threading.get_ident())):
        CALLS["volume"](cloud, instance_id)
        beside = threading.Thread(target=CALLS["port"], args=(cloud, instance_id))
        beside.start()
        beside.join()
    cloud.remove("volume", instance_id)
    cloud.remove("port", instance_id)
    assert asked == [threading.get_ident()]

# SPDX-License-Identifier: Apache-2.0
"""Waiting until volumes and servers can be made: an API that answers says nothing about that."""

import urllib.error
import urllib.request

from devcloud.processes import Process, wait_for
from devcloud.rest import Admin
from devcloud.services import Service
from devcloud.settings import Settings

PARTS = {"nova-compute", "nova-conductor", "nova-scheduler"}
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for_api(settings: Settings, service: Service) -> None:
    """Until it answers whatever."""
    wait_for(lambda: answers(service), service.name, process=Process(settings, service.daemons()[-1].name))


def answers(service: Service) -> bool:
    """Whether its API does."""
    try:
        _direct.open(service.url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def wait_until_usable(settings: Settings, admin: Admin) -> None:
    """Until a volume and a server would find their places."""
    if "cinder" in settings.services:
        wait_for(lambda: _has_pools(admin), "Cinder's volume service")
    if "nova" in settings.services:
        wait_for(lambda: _has_parts(settings, admin), "Nova's services")
        wait_for(lambda: _has_processors(settings, admin), "Nova's compute hosts")


def _has_pools(admin: Admin) -> bool:
    answer = admin.get("cinder", f"/v3/{admin.project}/scheduler-stats/get_pools")
    return bool(answer and answer["pools"])


def _has_parts(settings: Settings, admin: Admin) -> bool:
    answer = admin.get("nova", "/v2.1/os-services")
    up = [entry["binary"] for entry in answer["services"] if entry["state"] == "up"] if answer else []
    return set(up) >= PARTS and up.count("nova-compute") == settings.computes


def _has_processors(settings: Settings, admin: Admin) -> bool:
    answer = admin.get("placement", "/resource_providers")
    ids = [entry["uuid"] for entry in answer["resource_providers"]] if answer else []
    inventories = [admin.get("placement", f"/resource_providers/{uuid}/inventories") for uuid in ids]
    return sum("VCPU" in found["inventories"] for found in inventories if found) == settings.computes

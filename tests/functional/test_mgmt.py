# SPDX-License-Identifier: Apache-2.0
"""Administrators see the board, the conductors and the guests while an operation runs, and what guests say."""

import jsonschema
import psutil
import pytest

from dbflow import __version__
from dbflow.api.schemas import mgmt as schemas
from tests.functional.stack import Stack

USERS = {"embedded": "member", "real": "demo"}
"""Ids of the stacks' ordinary users."""


def test_while_a_create_is_held(stack: Stack) -> None:
    client, admin = stack.client(), stack.admin()
    with stack.nothing_left(), stack.faults.holding("guest.install-datastore.execute.before") as held:
        instance_id, create = client.create("watched")
        held.reached()
        (job,) = [one for one in admin.ask("GET", "/mgmt/jobs")["jobs"] if one["operation_id"] == create]
        assert (job["kind"], job["state"]) == ("instance.create", "RUNNING")
        assert job["owner"] is not None
        conductors = {one["name"]: one["operations"] for one in admin.ask("GET", "/mgmt/conductors")["conductors"]}
        assert create in conductors[job["owner"]]
        assert instance_id in {one["instance_id"] for one in admin.ask("GET", "/mgmt/guests")["guests"]}
        held.let_go()
        client.wait_operation(create)
        client.deleted(instance_id)
    assert admin.ask("GET", "/mgmt/jobs") == {"jobs": []}


def test_what_a_guest_says_of_itself(stack: Stack) -> None:
    client, admin = stack.client(), stack.admin()
    with stack.nothing_left():
        instance_id = client.created("asked")["id"]
        of = f"/mgmt/instances/{instance_id}"
        agent = stack.agent(instance_id)
        assert agent is not None
        admin.ask("GET", f"{of}/rpc_ping", status=204)
        told = admin.ask("GET", f"{of}/diagnostics")
        jsonschema.validate(told, schemas.DIAGNOSTICS)
        assert told["diagnostics"]["version"] == __version__
        # In KiB; of the agent's own process, which goes on.
        assert told["diagnostics"]["vmRss"] == pytest.approx(agent.memory_info().rss / 1024, rel=0.2)
        assert told["diagnostics"]["threads"] == pytest.approx(agent.num_threads(), abs=2)
        told = admin.ask("GET", f"{of}/hwinfo")
        jsonschema.validate(told, schemas.HARDWARE)
        assert told["hwinfo"] == {"mem_total": psutil.virtual_memory().total // 1024, "num_cpus": psutil.cpu_count()}

        never = {"root_history": {"id": instance_id, "enabled": "Never", "user": "Nobody"}}
        assert admin.ask("GET", f"{of}/root") == never
        client.ask("POST", f"/instances/{instance_id}/root", status=200)
        client.ask("DELETE", f"/instances/{instance_id}/root", status=204)
        history = admin.ask("GET", f"{of}/root")
        jsonschema.validate(history, schemas.ROOT_HISTORY)
        assert (history["root_history"]["id"], history["root_history"]["user"]) == (instance_id, USERS[stack.kind])
        assert admin.ask("GET", of)["instance"]["root_enabled"] == history["root_history"]["enabled"]
        client.deleted(instance_id)

# SPDX-License-Identifier: Apache-2.0
"""Administrators see the board, the conductors and the guests while an operation runs."""

from tests.functional.stack import Stack


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

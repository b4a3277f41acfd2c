# SPDX-License-Identifier: Apache-2.0
"""Servers that Nova gives up before they run: those that may do better are asked for anew."""

import datetime
import re

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.unit.openstack.conftest import World


def _given_up(world: World, cloud: OpenStackCloud, why: str) -> base.Boot:
    """Of a server that is in ERROR, which nobody has seen yet."""
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    world.nova.fails = why
    for _ in range(2):
        with pytest.raises(NotYet):
            cloud.servers.create(boot)
    return boot


@pytest.mark.parametrize(
    "why",
    [
        "No valid host was found. There are not enough hosts available.",
        "Exceeded maximum number of retries. Exceeded max scheduling attempts 3 for instance x. Last exception: y",
        "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance x.",
        "Build of instance x aborted: Unable to establish connection to http://n:9696/v2.0/ports/y: HTTPConnectionPool",
        "Build of instance x aborted: Request to http://n:9696/v2.0/ports/y timed out",
        "Build of instance x aborted: Service Unavailable (HTTP 503)",
        "Build of instance x aborted: <html><body><h1>503 Service Unavailable</h1>",
        "Build of instance x aborted: Failed to allocate the network(s), not rescheduling.",
        "Build of instance x aborted: Connection to cinder host failed: Unable to establish connection",
        "Build of instance x aborted: Cinder API version 3.44 is not available.",
        "Connection to glance host http://g:9292 failed: Error finding address",
        "",  # nova-compute was started anew
    ],
)
def test_a_server_that_could_not_be_built_is_asked_for_anew(world: World, cloud: OpenStackCloud, why: str) -> None:
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    world.nova.fails = why
    with pytest.raises(base.Transient, match=re.escape(why.partition("http")[0][:30] or "given it up")):
        world.done(cloud.servers.create, boot)
    (unbuilt,) = world.nova.servers
    assert [port["device_id"] for port in world.neutron.things["ports"].values()] == [""]
    assert world.done(cloud.servers.create, boot).status == "ACTIVE"
    (built,) = world.nova.servers
    assert built != unbuilt


@pytest.mark.parametrize(
    ("told", "fit"),
    [
        (
            "Unable to establish connection to http://n:9696/v2.0/ports/y: HTTPConnectionPool(host='n', port=9696): Max"
            " retries exceeded with url: /v2.0/ports/y",
            "Unable to establish connection to …: HTTPConnectionPool…: Max retries exceeded with url: /v2.0/ports/y",
        ),
        ("Request to http://n:9696/ timed out: HTTPConnectionPool(host='neut", "timed out: HTTPConnectionPool…"),
        ("NewConnectionError: Failed to resolve 'n.int' (Name or service", "Failed to resolve … (Name"),
        ("ConnectTimeout: Connection to n.int timed out.", "Connection to … timed out."),
        ("Can't connect to MySQL server on 'db.int' ([Errno 111])", "MySQL server on … ([Errno 111])"),
        ("Command: ssh -o BatchMode=yes 192.168.1.3 mkdir", "BatchMode=yes … mkdir"),
    ],
)
def test_where_the_clouds_services_are_is_in_the_log_only(
    world: World, cloud: OpenStackCloud, caplog: pytest.LogCaptureFixture, told: str, fit: str
) -> None:
    """A fault is the instance's owner's to read."""
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    world.nova.fails = told
    with pytest.raises(base.CloudError, match=re.escape(fit)):
        world.done(cloud.servers.create, boot)
    assert told in caplog.text


def test_a_server_that_nova_forgot_to_delete_is_told_of_again(world: World, cloud: OpenStackCloud) -> None:
    """It could not reach what it needs for that."""
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    world.nova.fails = "No valid host was found."
    world.fake.trouble("/action", 500, "Unexpected API Error.")
    with pytest.raises(base.Transient, match="No valid host"):
        world.done(cloud.servers.create, boot)
    (server,) = world.nova.servers.values()
    server["OS-EXT-STS:task_state"] = "deleting"
    assert world.done(cloud.servers.create, boot).status == "ACTIVE"
    assert world.nova.asked == ["forceDelete"]


@pytest.mark.parametrize("task", [None, "deleting"])
def test_one_is_not_forgotten_while_its_host_is_down(world: World, cloud: OpenStackCloud, task: str | None) -> None:
    """Nova would: something of it may run there yet, with the volume."""
    boot = _given_up(world, cloud, "")
    (server,) = world.nova.servers.values()
    server["OS-EXT-STS:task_state"] = task
    world.nova.down.add("one")
    for _ in range(2):
        with pytest.raises(NotYet, match=r"have its host back|be deleted"):
            cloud.servers.create(boot)
    assert len(world.nova.servers) == 1
    world.nova.down.clear()
    if task is None:
        with pytest.raises(base.Transient, match="given it up"):
            cloud.servers.create(boot)
    assert world.done(cloud.servers.create, boot).id != server["id"]


def test_who_is_no_administrator_waits_until_a_host_that_is_back_counts_as_up(
    world: World, cloud: OpenStackCloud
) -> None:
    world.nova.admin = False
    boot = _given_up(world, cloud, "")
    (server,) = world.nova.servers.values()
    server["updated"] = datetime.datetime.now(datetime.UTC).isoformat()
    with pytest.raises(NotYet, match="be given up"):
        cloud.servers.create(boot)
    assert list(world.nova.servers) == [server["id"]]


def test_a_server_that_goes_by_itself_is_asked_for_anew(world: World, cloud: OpenStackCloud) -> None:
    boot = _given_up(world, cloud, "who knows")
    world.fake.trouble("GET /compute/v2.1/servers/0", 404, "Instance could not be found")
    with pytest.raises(NotYet, match="be deleted"):
        cloud.servers.create(boot)


def test_a_port_of_a_server_that_went_by_itself_is_free(world: World, cloud: OpenStackCloud) -> None:
    """Nova could not tell Neutron."""
    boot = _given_up(world, cloud, "who knows")
    world.nova.servers.clear()
    assert [port["device_id"] for port in world.neutron.things["ports"].values()] != [""]
    made = world.done(cloud.servers.create, boot)
    assert [port["device_id"] for port in world.neutron.things["ports"].values()] == [made.id]


def test_a_port_of_a_server_that_was_asked_for_after_all_stays_so(world: World, cloud: OpenStackCloud) -> None:
    """It was not to be seen a moment ago."""
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    made = world.done(cloud.servers.create, boot)
    with pytest.raises(NotYet, match="be found"):
        cloud.servers._unbuilt.release(boot.instance_id)  # type: ignore[attr-defined]
    assert [port["device_id"] for port in world.neutron.things["ports"].values()] == [made.id]


def test_a_port_that_something_else_has_stays_so(world: World, cloud: OpenStackCloud) -> None:
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    (port,) = world.neutron.things["ports"].values()
    port |= {"device_id": "a router's", "device_owner": "network:x"}
    with pytest.raises(base.CloudError, match="in use"):
        world.done(cloud.servers.create, boot)
    assert port["device_id"] == "a router's"


@pytest.mark.parametrize(
    ("why", "ran"), [("No valid host was found.", True), ("The image is broken.", False), ("MessagingTimeout", False)]
)
def test_a_server_that_ran_or_can_not_be_built_stays(world: World, cloud: OpenStackCloud, why: str, ran: bool) -> None:
    """One that ran may hold what nothing else does; of a message that was lost nobody knows what came of it."""
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    world.nova.fails = None if ran else why
    if ran:
        world.done(cloud.servers.create, boot)
        (server,) = world.nova.servers.values()
        server.update(status="ERROR", fault={"message": why})
    for _ in range(2):
        with pytest.raises(base.CloudError, match=why):
            world.done(cloud.servers.create, boot)
    assert len(world.nova.servers) == 1
    assert "forceDelete" not in world.nova.asked

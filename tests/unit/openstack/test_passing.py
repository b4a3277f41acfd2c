# SPDX-License-Identifier: Apache-2.0
"""Services that are away, busy, or have forgotten who asks."""

import json
import pathlib
import re
import time

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.unit.openstack.conftest import World
from tests.unit.openstack.http import Answer, Request


def _ask(cloud: OpenStackCloud) -> base.Volume:
    return cloud.volumes.create("11111111-0000-4000-8000-000000000001", 1, None)


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [(429, {"Retry-After": "17"}, 17.0), (503, {}, 5.0), (500, {}, 5.0), (502, {"Retry-After": "soon"}, 5.0)],
)
def test_steps_wait_as_long_as_they_are_asked_to(
    world: World, cloud: OpenStackCloud, status: int, headers: dict[str, str], after: float
) -> None:
    world.fake.trouble("POST /volume", status, "not now", headers=headers)
    with pytest.raises(NotYet, match=f"HTTP {status}") as wait:
        _ask(cloud)
    assert wait.value.after == after
    assert world.done(_ask, cloud).size == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Quota exceeded for cores: Requested 2, but already used 19 of 20 cores", "Quota exceeded for cores"),
        (
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
            "Requested 8G, quota is 5G and 2G has been consumed.",
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota",
        ),
        ("Maximum number of volumes allowed (10) exceeded for quota 'volumes'.", "exceeded for quota 'volumes'."),
        ("Quota exceeded for resources: ['port'].", "Quota exceeded for resources: ['port']."),
        ("No valid host was found. There are not enough hosts available.", "not enough hosts available."),
    ],
)
def test_how_much_all_tenants_have_is_for_the_log_alone(
    world: World, cloud: OpenStackCloud, caplog: pytest.LogCaptureFixture, said: str, told: str
) -> None:
    world.fake.trouble("POST /volume", 413, said)
    kind = base.Transient if "valid host" in said else base.OutOfCapacity
    with pytest.raises(kind) as full:
        _ask(cloud)
    assert str(full.value).endswith(told)
    assert not re.search(r"\d", str(full.value).replace("11111111-0000-4000-8000-000000000001", ""))
    assert said in caplog.text


def test_who_is_no_step_is_told(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("GET /compute", 503, times=9)
    with pytest.raises(base.Unavailable):
        cloud.flavors.list()


def test_a_conflict_passes(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.fake.trouble("/action", 409, "Cannot 'resize' instance while it is in task_state powering-on")
    world.done(cloud.servers.resize, instance_id, "2")
    assert any("powering-on" in str(wait) for wait in world.waited)
    assert world.nova.asked == ["resize"]


@pytest.mark.parametrize("service", ["volume", "identity"])
def test_a_service_that_is_away_comes_back(world: World, cloud: OpenStackCloud, service: str) -> None:
    """Also when it is away before it was ever asked."""
    world.fake.down.add(service)
    for _ in range(3):
        with pytest.raises(NotYet, match="does not answer"):
            _ask(cloud)
    world.fake.down.clear()
    assert world.done(_ask, cloud).size == 1
    world.fake.down.add("volume")
    with pytest.raises(NotYet, match="does not answer"):
        _ask(cloud)
    world.fake.down.clear()
    world.done(_ask, cloud)
    assert len(world.cinder.volumes) == 1


def test_names_and_images_that_are_away_when_they_are_first_needed(world: World) -> None:
    cloud = world.cloud(dns_zone="db.example.")
    world.fake.down |= {"image", "dns"}
    for _ in range(2):
        with pytest.raises(NotYet, match="DNS service does not answer"):
            cloud.networks.create_port("11111111-0000-4000-8000-000000000001", [], {})
        with pytest.raises(base.Unavailable, match="image service does not answer"):
            cloud.images.get("old")
    world.fake.down.clear()
    assert cloud.images.get("old").id == "old"
    port = world.done(cloud.networks.create_port, "11111111-0000-4000-8000-000000000001", [], {})
    assert port.hostname is not None


def test_services_that_the_cloud_has_not(world: World) -> None:
    world.fake.absent |= {"volume", "dns"}
    cloud = world.cloud(dns_zone="db.example.")
    with pytest.raises(base.CloudError, match="The cloud has no block storage service"):
        _ask(cloud)
    with pytest.raises(base.CloudError, match="The cloud has no DNS service"):
        cloud.networks.delete_port("11111111-0000-4000-8000-000000000001")


def test_tokens_that_expire_are_renewed(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.fake.tokens.clear()
    world.done(cloud.servers.resize, instance_id, "2")
    assert len(world.fake.tokens) == 1


def test_tokens_that_are_refused_as_soon_as_they_were_given(world: World) -> None:
    """As those that Keystone makes within the second of a revocation: another one will do."""
    cloud = world.cloud()
    world.fake.trouble("POST /volume", 401, "who?", times=4)
    with pytest.raises(NotYet, match=r"Volume of instance .* does not accept dbflow's token"):
        _ask(cloud)
    assert world.done(_ask, cloud).size == 1
    assert len(world.cinder.volumes) == 1


def test_login_that_is_refused(world: World) -> None:
    world.fake.trouble("POST /v3/auth/tokens", 401, "no", times=9)
    with pytest.raises(base.CloudError, match="does not accept dbflow's login") as refused:
        _ask(world.cloud())
    assert not isinstance(refused.value, base.Unavailable)


def test_login_that_was_good_once(world: World, cloud: OpenStackCloud) -> None:
    """A new password that dbflow has not been told yet, or an account that is locked for a while."""
    assert cloud.flavors.list()
    world.fake.tokens.clear()
    world.fake.trouble("POST /v3/auth/tokens", 401, "no", times=4)
    with pytest.raises(NotYet, match=r"does not accept dbflow's login \(Unauthorized\)") as waited:
        _ask(cloud)
    assert waited.value.after >= 30
    assert world.done(_ask, cloud).size == 1


def test_a_service_that_is_new_in_the_catalog(world: World, cloud: OpenStackCloud) -> None:
    """Which is as old as the token."""
    world.fake.absent.add("volume")
    with pytest.raises(base.CloudError, match="has no block storage service"):
        _ask(cloud)
    world.fake.absent.clear()
    assert world.done(_ask, cloud).size == 1


@pytest.mark.parametrize(
    ("body", "headers"), [("<h1>Not Found</h1>", {"Content-Type": "text/html"}), ("", {"Content-Length": "0"})]
)
def test_answers_of_what_stands_between(
    world: World, cloud: OpenStackCloud, body: str, headers: dict[str, str]
) -> None:
    """A balancer without anybody behind it knows nothing of what there is."""
    instance_id = world.serve(cloud)
    world.fake.trouble("GET /network", 404 if body else 200, body, headers=headers)
    with pytest.raises(NotYet, match=r"finds no service|empty answer"):
        cloud.networks.delete_port(instance_id)


def test_configuration_without_a_login(world: World) -> None:
    with pytest.raises(base.CloudError, match=r"\[openstack\] cloud or auth_type"):
        _ask(world.cloud(auth_type=None))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"auth_type": "v3passwort"}, "does not say how to log in: .*v3passwort"),
        ({"auth_type": "v3password", "auth_url": None}, "does not say how to log in: .*auth_url"),
        ({"auth_url": "https://127.0.0.1:9/v3", "cafile": "/nonexistent"}, "cafile, certfile or keyfile can't be read"),
    ],
)
def test_configuration_that_can_not_work(world: World, changes: dict[str, str | None], told: str) -> None:
    with pytest.raises(base.CloudError, match=told) as refused:
        _ask(world.cloud(**changes))
    assert not isinstance(refused.value, base.Unavailable)


def test_login_at_the_wrong_place(world: World) -> None:
    world.fake.trouble("POST /v3/auth/tokens", 404, "no such page")
    with pytest.raises(base.CloudError, match=r"does not accept dbflow's login \(NotFound\)"):
        _ask(world.cloud())


@pytest.mark.parametrize("status", [429, 503])
def test_login_that_passes(world: World, status: int) -> None:
    world.fake.trouble("POST /v3/auth/tokens", status, "not now")
    assert world.done(_ask, world.cloud()).size == 1


def test_who_keeps_somebody_waiting_gives_up_sooner(world: World, cloud: OpenStackCloud) -> None:
    asked = cloud.impatient(1.0)
    assert asked.flavors.list()
    world.fake.awake.clear()
    began = time.monotonic()
    with pytest.raises(base.Unavailable, match="does not answer"):
        asked.flavors.list()
    assert time.monotonic() - began < 30
    world.fake.awake.set()


def test_cloud_that_is_not_in_clouds_yaml(world: World) -> None:
    with pytest.raises(base.CloudError, match=r"\[openstack\] cloud: .*nowhere"):
        _ask(world.cloud(cloud="nowhere"))


def test_lists_of_many_pages(world: World, cloud: OpenStackCloud) -> None:
    ids = [f"{number:08d}-0000-4000-8000-00000000000a" for number in range(7)]
    for instance_id in ids:
        cloud_volume = world.done(cloud.volumes.create, instance_id, 1, None)
        assert cloud_volume.size == 1
    world.cinder.page = 3
    assert cloud.inventory()["volumes"] == ids


def test_a_token_that_is_refused_while_another_thread_gets_a_new_one(world: World, cloud: OpenStackCloud) -> None:
    """Then keystoneauth takes the refusal for the last word."""
    assert cloud.flavors.list()
    auth = cloud._nova.compute._client.connection().session.auth
    nova, asked = world.fake.services["compute"], list[str]()

    def refused(request: Request, path: str) -> Answer:
        asked.append(request.headers["X-Auth-Token"])
        if len(asked) > 1:
            return nova(request, path)
        auth.auth_ref = None
        return 401, {"error": {"message": "who?"}}

    world.fake.services["compute"] = refused
    assert cloud.flavors.list()
    assert len(set(asked)) == 2


def test_shapes_are_those_that_are_meant_whatever_clouds_yaml_says(
    world: World, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 2.47 on flavors of servers have no ids."""
    login = {"auth_url": f"{world.fake.url}/v3", "username": "dbflow", "password": "secret", "project_name": "service"}
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    cloud = {"auth": login | domains, "compute_default_microversion": "2.90"}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"here": cloud}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    driver = world.cloud(cloud="here", auth_type=None)
    asked: list[str] = []
    nova = world.fake.services["compute"]

    def noted(request: Request, path: str) -> Answer:
        asked.append(request.headers.get("OpenStack-API-Version"))
        return nova(request, path)

    world.fake.services["compute"] = noted
    assert driver.flavors.list()
    assert asked == [None]

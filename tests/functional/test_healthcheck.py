# SPDX-License-Identifier: Apache-2.0
"""The health check of an API whose servers freeze and die."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import pytest
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3

from dbflow.messaging.dispatcher import BEAT
from tests.functional.stack import EmbeddedStack, RealStack
from tests.servers import Server
from tests.servers.keystone import Keystone
from tests.waiting import wait_for

SLOWEST = 3.0
"""Seconds that an answer may take, whatever is frozen."""
SLACK = 10.0
"""Seconds for a machine with other things to do; what waits for the frozen itself gets no answer at all."""


def _look(url: str) -> tuple[int, dict[str, str]]:
    began = time.monotonic()
    answer = requests.get(f"{url}/healthcheck", headers={"Accept": "application/json"}, timeout=30)
    assert time.monotonic() - began < SLOWEST + SLACK
    assert "127.0.0.1" not in answer.text
    return answer.status_code, {name: check["status"] for name, check in answer.json()["checks"].items()}


def _missed(url: str, name: str) -> bool:
    """Whether it is found to be away; others may still be, from the test before."""
    status, found = _look(url)
    return status == 503 and found[name] == "error"


@contextlib.contextmanager
def _frozen(server: Server) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


@pytest.mark.parametrize(("name", "part"), [("sql", "mariadb"), ("zookeeper", "zookeeper"), ("broker", "rabbitmq")])
def test_what_freezes_is_named(real_stack: RealStack, name: str, part: str) -> None:
    url = real_stack.client().endpoint.partition("/v1.0")[0]
    well = (200, {"sql": "ok", "zookeeper": "ok", "broker": "ok"})
    wait_for(lambda: _look(url) == well, 60, "a healthy API")
    with _frozen(getattr(real_stack, part)):
        # A broker is known by its beats; the others are asked.
        wait_for(lambda: _missed(url, name), 5 * BEAT, f"{name} to be missed")
        assert requests.get(f"{url}/healthcheck?only=", timeout=30).status_code == 200
    wait_for(lambda: _look(url) == well, 60, "a healthy API")


def _token(keystone: Keystone) -> tuple[str, str]:
    """A fresh one, and its project's id."""
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    login = v3.Password(keystone.url, username="admin", password=keystone.password, project_name="admin", **domains)
    access = login.get_access(session.Session())
    return access.auth_token, access.project_id


def _ask(url: str, token: str, project_id: str) -> requests.Response:
    return requests.get(f"{url}/v1.0/{project_id}/instances", headers={"X-Auth-Token": token}, timeout=60)


def _must_be_unknown(url: str, token: str, project_id: str) -> None:
    """Nobody can say what it is: it may be good."""
    answer = _ask(url, token, project_id)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "serviceUnavailable" in answer.json()


def test_keystone_goes_and_comes(servers_base: pathlib.Path, images: pathlib.Path) -> None:
    with Keystone(servers_base) as keystone:
        login = {"auth_type": "password", "username": "admin", "password": keystone.password, "project_name": "admin"}
        login |= {"user_domain_id": "default", "project_domain_id": "default"}
        settings = {"api": {"auth": "keystone"}, "keystone_authtoken": {"auth_url": keystone.url, **login}}
        with EmbeddedStack(images, settings) as stack:
            well = (200, {"sql": "ok", "zookeeper": "ok", "broker": "ok", "catalog": "ok"})
            wait_for(lambda: _look(stack.url) == well, 60, "a healthy API")
            first, second = _token(keystone), _token(keystone)
            with _frozen(keystone):
                away = (503, well[1] | {"catalog": "error"})
                wait_for(lambda: _look(stack.url) == away, 30, "Keystone to be missed")
                _must_be_unknown(stack.url, *first)
            wait_for(lambda: _look(stack.url) == well, 60, "a healthy API")
            # It has what was asked meanwhile to answer first.
            for token, status in ((first[0], 200), ("forged", 401)):
                wait_for(lambda t=token, s=status: _ask(stack.url, t, first[1]).status_code == s, 60, f"a {status}")
            keystone.kill()
            _must_be_unknown(stack.url, *second)
            assert _ask(stack.url, *first).status_code == 200
            wait_for(lambda: _look(stack.url) == away, 30, "Keystone to be missed")

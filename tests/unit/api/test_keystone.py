# SPDX-License-Identifier: Apache-2.0
"""Tokens while Keystone can't be asked: nobody is told that his is bad."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from keystoneauth1 import exceptions
from keystonemiddleware.auth_token import _exceptions, _identity

from dbflow.api.app import create_app
from dbflow.api.auth import KeystoneAuth
from dbflow.console import session
from tests.unit.api.world import World

TOKEN = {"X-Auth-Token": "of-ann"}
DEAD = "http://127.0.0.1:9/v3"


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Iterator[FlaskClient]:
    """Of an API whose Keystone is not there, and that lets an address show one bad token a minute."""
    world = World(tmp_path)
    file = tmp_path / "keystone.conf"
    login = f"auth_type = password\nauth_url = {DEAD}\nusername = dbflow\npassword = x\nproject_name = service\n"
    file.write_text(f"[keystone_authtoken]\nwww_authenticate_uri = {DEAD}\n{login}")
    world.conf([], default_config_files=[str(file)])
    world.conf.set_override("unauthenticated_rate", 1, "api")
    yield create_app(world.services, KeystoneAuth(world.conf)).test_client()
    world.database.close()


def must_be_away(client: FlaskClient) -> None:
    for _ in range(3):
        answer = client.get("/v1.0/p1/instances", headers=TOKEN)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert set(answer.get_json()) == {"serviceUnavailable"}


def test_a_keystone_that_is_not_there(client: FlaskClient) -> None:
    must_be_away(client)
    answer = client.get("/v1.0/p1/instances", headers={**TOKEN, "Accept": "application/xml"})
    assert (answer.status_code, answer.mimetype) == (503, "application/xml")
    assert "<serviceUnavailable" in answer.text
    # What was not counted is left.
    assert [client.get("/v1.0/p1/instances").status_code for _ in range(2)] == [401, 413]


@pytest.mark.parametrize(
    "error",
    [
        _exceptions.ServiceError("dbflow's own token is refused"),
        exceptions.ConnectFailure(),
        exceptions.DiscoveryFailure(),
        exceptions.RequestTimeout(),
        exceptions.SSLError(),
        exceptions.EndpointNotFound(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_keeps_it_from_being_asked(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _verify(monkeypatch, error)
    must_be_away(client)


def test_a_token_that_it_does_not_know(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a thread that has met a Keystone that was away."""
    must_be_away(client)
    _verify(monkeypatch, _exceptions.InvalidToken("unknown"))
    answer = client.get("/v1.0/p1/instances", headers=TOKEN)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, f'Keystone uri="{DEAD}"')


def test_the_clients_own_word_for_it(client: FlaskClient) -> None:
    assert client.get("/v1.0/p1/instances", headers={"dbflow.keystone_away": "1"}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/v1.0", "/healthcheck?only=", "/doc", "/swagger.json"])
def test_open_pages_stay_open(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers=TOKEN, follow_redirects=True).status_code == 200


def test_the_console_signs_nobody_out(client: FlaskClient) -> None:
    with client.application.test_request_context("/console/"):
        answer = session.save(client.application.make_response(""), session.begin("of-ann", "ann", "shop"))
    client.set_cookie(session.COOKIE, answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0], path="/console")
    for _ in range(3):
        page = client.get("/console/operations")
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert "Set-Cookie" not in page.headers
        assert "Keystone" in page.text
    assert client.get_cookie(session.COOKIE, path=session.PATH) is not None


def _verify(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def verify(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(_identity.IdentityServer, "verify_token", verify)

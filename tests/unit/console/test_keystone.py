# SPDX-License-Identifier: Apache-2.0
"""Sign-in with a Keystone that is small, but speaks as the real one does."""

import datetime
import json
import pathlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from flask.testing import FlaskClient

from dbflow.api.app import create_app
from dbflow.api.auth import Identity, KeystoneAuth, Wsgi
from dbflow.console import session
from tests.unit.api.world import World

FORM = {
    "user": "ann",
    "password": "pw-of-ann",
    "project": "shop",
    "user_domain": "Default",
    "project_domain": "Default",
}


class FakeKeystone(HTTPServer):
    """Knows one user; notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.revoked: list[str | None] = []


class _Handler(BaseHTTPRequestHandler):
    server: FakeKeystone

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]
        self.server.asked.append(asked)
        good = asked["identity"]["password"]["user"]["password"] == FORM["password"]
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=30)
        token = {"expires_at": f"{expires:%Y-%m-%dT%H:%M:%S}.000000Z", "methods": ["password"], "user": {"name": "ann"}}
        self._answer(201 if good else 401, {"token": token} if good else {"error": {"code": 401, "message": "no"}})

    def do_DELETE(self) -> None:
        self.server.revoked.append(self.headers["X-Subject-Token"])
        self._answer(204, None)

    def _answer(self, status: int, body: Any) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if status == 201:
            self.send_header("X-Subject-Token", "token-of-ann")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


class Keystone(KeystoneAuth):
    """What the middleware would make of the token."""

    def identify(self, environ: Any) -> Identity | None:
        good = environ.get("HTTP_X_AUTH_TOKEN") == "token-of-ann"
        return Identity("u-ann", "p-shop", frozenset({"member"})) if good else None

    def wrap(self, wsgi: Wsgi) -> Wsgi:
        return wsgi


@pytest.fixture
def keystone() -> Iterator[FakeKeystone]:
    server = FakeKeystone()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(tmp_path: pathlib.Path, keystone: FakeKeystone) -> Iterator[FlaskClient]:
    from keystonemiddleware import auth_token

    world = World(tmp_path)
    for group, options in auth_token.list_opts():
        world.conf.register_opts(options, group=group)
    world.conf.set_override("www_authenticate_uri", f"http://127.0.0.1:{keystone.server_port}", "keystone_authtoken")
    yield create_app(world.services, Keystone(world.conf)).test_client()
    world.database.close()


def test_the_form_signs_in(client: FlaskClient, keystone: FakeKeystone) -> None:
    assert 'name="project_domain"' in client.get("/console/").text
    answer = client.post("/console/signin", data=FORM)
    assert answer.status_code == 303
    (asked,) = keystone.asked
    assert asked["identity"]["password"]["user"] == {
        "name": "ann",
        "domain": {"name": "Default"},
        "password": "pw-of-ann",
    }
    assert asked["scope"] == {"project": {"name": "shop", "domain": {"name": "Default"}}}
    page = client.get("/console/operations")
    assert page.status_code == 200
    assert "ann" in page.text
    assert "shop" in page.text
    found = client.get_cookie(session.COOKIE, path=session.PATH)
    assert found is not None
    assert found.max_age is not None
    assert found.max_age <= 1800  # no longer than the token


def test_a_wrong_password(client: FlaskClient) -> None:
    answer = client.post("/console/signin", data={**FORM, "password": "wrong-one"})
    assert answer.status_code == 401
    assert 'value="ann"' in answer.text
    assert "wrong-one" not in answer.text
    assert client.get("/console/operations").status_code == 401


def test_no_project(client: FlaskClient, keystone: FakeKeystone) -> None:
    answer = client.post("/console/signin", data={**FORM, "project": " "})
    assert answer.status_code == 400
    assert "project: must be given." in answer.text
    assert keystone.asked == []


def test_signing_out_revokes_the_token(client: FlaskClient, keystone: FakeKeystone) -> None:
    client.post("/console/signin", data=FORM)
    page = client.get("/console/operations").text
    token = page.partition('name="csrf" value="')[2].partition('"')[0]
    assert client.post("/console/signout", data={"csrf": token}).status_code == 303
    assert keystone.revoked == ["token-of-ann"]


def test_keystone_away(client: FlaskClient, keystone: FakeKeystone) -> None:
    client.application.extensions["dbflow"][0].conf.set_override("auth_url", "http://127.0.0.1:9", "console")
    answer = client.post("/console/signin", data=FORM)
    assert answer.status_code == 503
    assert "Keystone does not answer" in answer.text

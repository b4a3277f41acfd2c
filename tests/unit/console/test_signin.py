# SPDX-License-Identifier: Apache-2.0
"""Who gets in, how, and for how long."""

import time

import pytest
from flask.testing import FlaskClient

from dbflow.console import session
from dbflow.console.app import ticket_link
from dbflow.console.tickets import Tickets
from tests.unit.console.scene import Scene

PAGES = ("/", "/operations", "/instances", "/jobs", "/conductors", "/guests")


@pytest.fixture
def stranger(still: Scene) -> FlaskClient:
    """A browser that has not signed in."""
    return still.world.app.test_client()


def cookie(client: FlaskClient) -> str:
    found = client.get_cookie(session.COOKIE, path=session.PATH)
    assert found is not None
    return found.value


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_gets_the_form(stranger: FlaskClient, path: str) -> None:
    answer = stranger.get(f"/console{path}")
    assert answer.status_code == 401
    assert '<input name="token" type="password"' in answer.text
    assert f'name="next" value="{path}"' in answer.text


def test_nobody_gets_in_with_a_header(stranger: FlaskClient) -> None:
    assert stranger.get("/console/operations", headers={"X-Auth-Token": "admin"}).status_code == 401


def test_a_token_is_signed_in_and_back_at_the_page(still: Scene, stranger: FlaskClient) -> None:
    answer = stranger.post("/console/signin", data={"token": "owner", "next": "/operations?state=FAILED"})
    assert (answer.status_code, answer.location) == (303, "/console/operations?state=FAILED")
    header = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/console"} <= set(header.split("; "))
    assert "Secure" not in header
    assert "owner" not in header
    assert still.world.keyring.unseal(cookie(stranger))["token"] == "owner"
    assert stranger.get("/console/operations").status_code == 200


def test_over_https_the_cookie_is_secure(stranger: FlaskClient) -> None:
    answer = stranger.post("/console/signin", data={"token": "owner"}, base_url="https://cloud.example")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_a_bad_token(stranger: FlaskClient) -> None:
    answer = stranger.post("/console/signin", data={"token": "no-such-token"})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "no-such-token" not in answer.text


def test_signing_in_is_rate_limited(scene: Scene) -> None:
    scene.world.app.extensions["dbflow.rates"]._unknown.amount = 3
    client = scene.world.app.test_client()
    codes = [client.post("/console/signin", data={"token": "x"}).status_code for _ in range(5)]
    assert codes == [401, 401, 401, 413, 413]


def test_a_session_ends(still: Scene, stranger: FlaskClient) -> None:
    over = session.Session("owner", "c", time.time() - 1)
    stranger.set_cookie(session.COOKIE, still.world.keyring.seal(vars(over)), path=session.PATH)
    assert stranger.get("/console/operations").status_code == 401


@pytest.mark.parametrize("header", ["X-Auth-Token", "X-Storage-Token"])
def test_only_the_cookie_says_who_it_is(still: Scene, header: str) -> None:
    """Keystone's middleware would take either."""
    sent = {f"HTTP_{header.upper().replace('-', '_')}": "admin"}

    def told(environ: dict[str, str], _: object) -> list[bytes]:
        return [",".join(environ.values()).encode()]

    wrapped = session.CookieToken(told, still.world.keyring)
    assert list(wrapped({"PATH_INFO": "/console/operations", **sent}, None)) == [b"/console/operations"]
    assert list(wrapped({"PATH_INFO": "/v1.0/p1/instances", **sent}, None)) == [b"/v1.0/p1/instances,admin"]


def test_a_session_does_not_print_its_secrets() -> None:
    assert repr(session.Session("tok-1", "csrf-1", 1.0, "ann")) == "Session(until=1.0, user='ann', project='')"


def test_signing_out_of_what_is_over(still: Scene, stranger: FlaskClient) -> None:
    over = session.Session("no-token-any-more", "c", time.time() + 60)
    stranger.set_cookie(session.COOKIE, still.world.keyring.seal(vars(over)), path=session.PATH)
    assert stranger.post("/console/signout", data={"csrf": "x"}).status_code == 403
    answer = stranger.post("/console/signout", data={"csrf": "c"})
    assert (answer.status_code, answer.location) == (303, "/console/signin")
    assert stranger.get_cookie(session.COOKIE, path=session.PATH) is None
    assert stranger.post("/console/signout").status_code == 303


@pytest.mark.parametrize("value", ["x", "", "gAAAAA", '{"token":"owner"}'])
def test_a_cookie_that_is_not_ours(stranger: FlaskClient, value: str) -> None:
    stranger.set_cookie(session.COOKIE, value, path=session.PATH)
    assert stranger.get("/console/operations").status_code == 401


def test_a_token_that_is_withdrawn_ends_its_session(scene: Scene) -> None:
    browser = scene.browser("other")
    browser.get("/operations")
    tokens = {"owner": {"user_id": "u1", "project_id": "p1", "roles": ["member"]}}
    type(scene.world.app.extensions["dbflow.console"].auth).write(scene.world.token_file, tokens)
    browser.get("/operations", 401)


def test_sign_out(still: Scene) -> None:
    browser = still.browser()
    browser.post("/signout")
    assert browser.client.get_cookie(session.COOKIE, path=session.PATH) is None
    browser.get("/operations", 401)


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/..//evil",
        "/operations\r\nX: y",
    ],
)
def test_one_is_sent_nowhere_else(stranger: FlaskClient, wanted: str) -> None:
    answer = stranger.post("/console/signin", data={"token": "owner", "next": wanted})
    assert answer.location == "/console/"


def test_a_one_time_link(still: Scene, stranger: FlaskClient) -> None:
    link = ticket_link(still.world.app, "http://localhost", "admin")
    assert "admin" not in link
    looked = stranger.head(link.removeprefix("http://localhost"))
    assert (looked.status_code, looked.headers.get("Set-Cookie")) == (200, None)
    answer = stranger.get(link.removeprefix("http://localhost"))
    assert (answer.status_code, answer.location) == (303, "/console/")
    assert stranger.get("/console/jobs").status_code == 200
    second = still.world.app.test_client().get(link.removeprefix("http://localhost"))
    assert second.status_code == 401
    assert "used before" in second.text


def test_tickets_keep_hashes_and_end() -> None:
    tickets = Tickets(0.0)
    ticket = tickets.issue("secret-token")
    assert ticket not in repr(vars(tickets))
    assert tickets.redeem(ticket) is None
    lasting = Tickets(60.0)
    ticket = lasting.issue("t")
    assert [lasting.redeem("x"), lasting.redeem(ticket), lasting.redeem(ticket)] == [None, "t", None]

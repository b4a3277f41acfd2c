# SPDX-License-Identifier: Apache-2.0
"""Headers, forms, other people's projects, markup in names, secrets."""

import html
import re

import pytest

from dbflow.api.here import attach
from tests.unit.api.test_policy import Refusing
from tests.unit.api.world import TOKENS
from tests.unit.console.scene import CONDUCTOR, NASTY, PASSWORD, Browser, Scene

TABS = ("graph", "timeline", "attempts", "events", "arguments")


def every_page(scene: Scene) -> list[str]:
    """Of what the project p1 has."""
    pages = ["/", "/operations", "/instances", f"/instances/{scene.healthy}", f"/instances/{scene.silent}"]
    for operation, task in ((scene.create, "open-channel"), (scene.failed, "create-server")):
        pages += [f"/operations/{operation}?tab={tab}&task={task}" for tab in TABS]
    return pages


def fleet_pages() -> list[str]:
    return ["/jobs", "/conductors", "/guests"]


def test_every_page_for_its_project_and_for_administrators(still: Scene) -> None:
    admin, owner, reader = still.browser("admin"), still.browser(), still.browser("reader")
    for page in [*every_page(still), *fleet_pages()]:
        admin.get(page)
    for page in every_page(still):
        owner.get(page)
        reader.get(page)
    for page in fleet_pages():
        owner.get(page, 403)


def test_others_are_told_that_there_is_nothing(still: Scene) -> None:
    other = still.browser("other")
    for page in every_page(still):
        if still.create in page or still.failed in page or "/instances/" in page:
            assert "cannot be found" in other.get(page, 404).text
    shown = "".join(other.get(page).text for page in ("/", "/operations", "/instances"))
    for hidden in (still.create, still.failed, still.building, still.silent, "orders-primary", CONDUCTOR):
        assert hidden not in shown
    assert "theirs" in shown


def test_a_users_filters_do_not_reach_other_projects(still: Scene) -> None:
    owner = still.browser()
    for query in ("project=p2", "text=theirs", f"instance={still.foreign}", "instance=theirs"):
        assert "theirs</a>" not in owner.get(f"/operations?{query}").text
    foreign = still.browser("other").get("/operations").text
    (theirs,) = set(re.findall(r"/console/operations/([0-9a-f-]{36})", foreign))
    owner.get(f"/operations?marker={theirs}", 400)
    assert "theirs</a>" not in owner.get("/instances?text=theirs").text


def test_what_only_administrators_are_told(still: Scene) -> None:
    page = f"/operations/{still.failed}?task=create-server"
    assert "RuntimeError" in still.browser("admin").get(page).text
    told = still.browser().get(page).text
    for hidden in ("RuntimeError", "Traceback", "scene.py", CONDUCTOR.split(":")[-1], "Epoch"):
        assert hidden not in told, hidden


def test_a_user_does_not_learn_what_a_conductor_is_called(scene: Scene) -> None:
    admin, owner, told = scene.browser("admin"), scene.browser(), ""
    scene.step(scene.create, "create-server", "RUNNING")
    for task in ("install-datastore", "create-server"):
        page = f"/operations/{scene.create}?task={task}"
        assert CONDUCTOR in admin.get(page).text
        told += owner.get(page).text
    assert CONDUCTOR.split(":")[-1] not in told
    assert "guest of orders-primary" in told
    assert "a conductor" in told
    query = f"/operations?text={CONDUCTOR[:8]}"
    assert f'id="op-{scene.create}"' in admin.get(query).text
    assert f'id="op-{scene.create}"' not in owner.get(query).text


def test_an_instance_without_its_operations(scene: Scene) -> None:
    page, browser = f"/instances/{scene.silent}", scene.browser()
    assert "Operations of this instance" in browser.get(page).text
    attach(scene.world.app, scene.world.services, Refusing(frozenset({"instance:show"})))  # type: ignore[arg-type]
    assert "Operations of this instance" not in browser.get(page).text


def test_headers(still: Scene) -> None:
    browser = still.browser()
    for answer in (
        browser.get("/operations"),
        browser.get("/nothing", 404),
        browser.client.get("/console/signin"),
        still.world.app.test_client().get("/console/"),
        browser.client.get("/console/static/console.js"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert browser.get("/operations").headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" not in browser.client.get("/").headers


def test_nothing_inline(still: Scene) -> None:
    admin = still.browser("admin")
    for page in [*every_page(still), *fleet_pages()]:
        text = admin.get(page).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src)", text), page
        assert not re.search(r'(src|href)="(https?:)?//', text), page


def test_markup_in_names_stays_text(still: Scene) -> None:
    admin, seen = still.browser("admin"), 0
    for page in [*every_page(still), *fleet_pages(), "/operations?text=%3Cscript%3E&instance=%22%3E%3Cscript%3E"]:
        text = admin.get(page).text
        assert "<script>" not in text, page
        seen += html.escape(NASTY) in text or "&lt;script&gt;alert(1)" in text
    assert seen > 5


def test_secrets_are_masked(still: Scene) -> None:
    for token in ("owner", "admin"):
        browser = still.browser(token)
        text = "".join(browser.get(page).text for page in every_page(still))
        assert PASSWORD not in text
        assert "s3al-me" not in text
        assert "••••••" in text
    arguments = still.browser().get(f"/operations/{still.create}?tab=arguments").text
    assert "&#34;name&#34;: &#34;app&#34;" in arguments


def test_forms_need_their_token(still: Scene) -> None:
    browser = still.browser()
    path = f"/console/operations/{still.create}/act"
    for fields in ({}, {"csrf": "x"}, {"csrf": still.browser("reader").csrf()}):
        answer = browser.client.post(path, data={"verb": "cancel", **fields})
        assert answer.status_code == 403
        assert "out of date" in answer.text
    assert still.world.operation(still.create).requested is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_forms_of_other_sites(scene: Scene, headers: dict[str, str]) -> None:
    browser = scene.browser()
    fields = {"verb": "cancel", "csrf": browser.csrf()}
    path = f"/console/operations/{scene.create}/act"
    assert browser.client.post(path, data=fields, headers=headers).status_code == 403
    stranger = Browser(scene.world.app.test_client())
    assert stranger.client.post("/console/signin", data={"token": "owner"}, headers=headers).status_code == 403
    scene.world.conf.set_override("public_endpoint", "https://cloud.example/db", "api")
    for ours in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost"},
        {"Origin": "https://cloud.example"},
        {},
    ):
        assert stranger.client.post("/console/signin", data={"token": "owner"}, headers=ours).status_code == 303
    assert browser.client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_changes_are_no_gets(still: Scene) -> None:
    browser = still.browser("admin")
    for path in (f"/operations/{still.create}/act", "/signout", "/theme", f"/conductors/{CONDUCTOR}/drain"):
        browser.get(path, 405)


def test_no_token_in_a_page_or_a_location(scene: Scene) -> None:
    """A token that nothing else on a page is called."""
    tokens = {**TOKENS, "tok-9f3b": {"user_id": "u9", "project_id": "p1", "roles": ["member"]}}
    type(scene.world.app.extensions["dbflow.console"].auth).write(scene.world.token_file, tokens)
    browser = scene.browser("tok-9f3b")
    for page in every_page(scene):
        answer = browser.get(page)
        assert "tok-9f3b" not in answer.text + str(answer.headers)

# SPDX-License-Identifier: Apache-2.0
"""What the buttons do, to whom they are offered, and what they say when they can't."""

import html
import re

import pytest
import sqlalchemy as sa

from dbflow.db.models import Conductor, Operation
from dbflow.operations import State
from dbflow.services import operations
from dbflow.services.context import Caller, Services
from tests.unit.console.scene import CONDUCTOR, Scene


def buttons(page: str) -> dict[str, bool]:
    """Verb -> whether its button can be pressed."""
    return {
        verb: "disabled" not in rest
        for verb, rest in re.findall(r'<button form="act" name="verb" value="(\w+)"([^>]*)', page)
    }


def test_buttons_are_what_the_api_offers(still: Scene) -> None:
    browser = still.browser()
    for operation_id in (still.create, still.failed):
        offered = still.world.ask("GET", f"operations/{operation_id}").json["operation"]["actions"]
        found = buttons(browser.get(f"/operations/{operation_id}").text)
        assert {verb for verb, can in found.items() if can} == set(offered)
        assert set(found) == {"cancel", "suspend", "resume", "retry"}
        assert set(buttons(still.browser("admin").get(f"/operations/{operation_id}").text)) == {*found, "release"}


def test_a_button_that_is_off_says_why_in_the_words_of_the_api(still: Scene) -> None:
    page = still.browser().get(f"/operations/{still.create}").text
    assert "Resume: it is not suspended." in page
    refused = still.world.ask("POST", f"operations/{still.create}/resume")
    assert refused.status_code == 409
    assert refused.json["detail"].endswith("can't resume: it is not suspended.")


def test_acting(scene: Scene) -> None:
    browser = scene.browser()
    path, page = f"/operations/{scene.create}/act", f"/operations/{scene.create}?tab=events"
    answer = browser.post(path, page=page, verb="suspend", back=page)
    assert answer.location == f"/console{page}"
    assert scene.world.operation(scene.create).requested == "suspend"
    assert "to suspend is requested" in browser.get(page).text
    refused = browser.post(path, 409, verb="suspend")
    assert "it is suspended already" in refused.text
    browser.post(path, verb="cancel")
    assert scene.world.operation(scene.create).requested == "cancel"
    browser.post(path, 400, verb="explode")
    scene.world.posted.clear()
    browser.post(f"/operations/{scene.failed}/act", verb="retry")
    assert (scene.world.operation(scene.failed).state, scene.world.posted) == (State.ACCEPTED, [scene.failed])


def test_releasing_a_claim(scene: Scene) -> None:
    owner, admin = scene.browser(), scene.browser("admin")
    path = f"/operations/{scene.create}"
    owner.post(f"{path}/act", 403, verb="release")
    owner.post("/operations/act", 403, id=[scene.create], verb="release")
    assert 'value="release"' not in owner.get("/operations").text
    assert buttons(admin.get(path).text)["release"]
    admin.post(f"{path}/act", verb="release")
    assert scene.world.operation(scene.create).released_epoch == 17
    page = admin.get(path).text
    assert not buttons(page)["release"]
    assert "Release: its claim is being given up already." in page
    assert (
        "its claim is being given up already"
        in admin.post("/operations/act", 409, id=[scene.create], verb="release").text
    )


@pytest.mark.parametrize(("token", "status"), [("reader", 403), ("other", 404)])
def test_who_may_not(still: Scene, token: str, status: int) -> None:
    browser = still.browser(token)
    browser.post(f"/operations/{still.create}/act", status, verb="cancel")
    assert still.world.operation(still.create).requested is None
    if token == "reader":
        page = browser.get(f"/operations/{still.create}").text
        assert set(buttons(page).values()) == {False}
        assert "your role may only look" in page
        assert 'name="id"' not in browser.get("/operations").text


def test_a_selection(scene: Scene) -> None:
    browser = scene.browser()
    chosen = [scene.create, scene.failed, "x"]
    page = browser.post("/operations/act", 200, id=chosen, verb="cancel", back="/operations?state=OPEN").text
    assert "1 of 3 done" in page
    assert "it is parked; retry it" in page
    assert "Operation x cannot be found" in page
    assert 'href="/console/operations?state=OPEN"' in page
    assert scene.world.operation(scene.create).requested == "cancel"
    browser.post("/operations/act", 409, id=[scene.failed], verb="cancel")
    browser.post("/operations/act", 400, verb="cancel")
    browser.post("/operations/act", 400, id=[scene.create] * 101, verb="cancel")
    again = browser.post("/operations/act", 409, id=[scene.failed] * 3, verb="cancel").text
    assert "0 of 1 done" in again
    assert 'name="back" value=""' in again  # of the button for the colours


def test_a_selection_when_the_database_goes_away(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    act, asked = operations.act, []

    def away(services: Services, caller: Caller, operation_id: str, verb: str) -> Operation:
        asked.append(operation_id)
        if operation_id == scene.failed:
            raise sa.exc.OperationalError("SELECT", {}, Exception("2006 of 10.1.2.3"))
        return act(services, caller, operation_id, verb)

    monkeypatch.setattr(operations, "act", away)
    chosen = [scene.create, scene.failed, "never-tried"]
    page = html.unescape(scene.browser().post("/operations/act", 200, id=chosen, verb="suspend").text)
    assert "1 of 3 done" in page
    assert page.count("dbflow's database is not available") == 2
    assert "10.1.2.3" not in page
    assert asked == chosen[:2]
    assert scene.world.operation(scene.create).requested == "suspend"


def test_draining(scene: Scene) -> None:
    def draining() -> bool:
        with scene.world.database.read() as session:
            return session.get_one(Conductor, CONDUCTOR).draining

    browser, path = scene.browser("admin"), f"/conductors/{CONDUCTOR}/drain"
    browser.post(path, page="/conductors", draining="yes", back="/conductors")
    assert draining()
    assert "Every conductor drains" in browser.get("/").text
    assert "Claim again" in browser.get("/conductors").text
    browser.post(path, page="/conductors", draining="no")
    assert not draining()
    assert "Every conductor drains" not in browser.get("/").text
    browser.post(path, 400, page="/conductors", draining="perhaps")
    browser.post("/conductors/nobody/drain", 404, page="/conductors", draining="yes")
    refused = browser.post("/conductors/node-2:9:ffff/drain", 409, page="/conductors", draining="yes")
    assert "can't be told: it is silent." in html.unescape(refused.text)
    assert 'title="Not now: it is silent"' in browser.get("/conductors").text
    scene.browser().post(path, 403, draining="yes")

# SPDX-License-Identifier: Apache-2.0
"""What the pages say, without any script."""

import re

import pytest
from markupsafe import escape

from dbflow.db.models import Conductor, Operation
from dbflow.jobboard import BoardUnavailable, JobView
from dbflow.operations import State
from tests.unit.api.world import World
from tests.unit.console.scene import CONDUCTOR, NASTY, Browser, Scene


def words(html: str) -> str:
    """The text of a page, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def listed(browser: Browser, query: str = "") -> list[str]:
    """Ids of the operations on a page."""
    return re.findall(r'id="op-([0-9a-f-]{36})"', browser.get(f"/operations{query}").text)


def test_the_start_page_says_what_is_wrong(still: Scene) -> None:
    page = still.browser("admin").get("/").text
    text = words(page)
    assert "4 things need a look" in text
    for line in (
        "1 operation failed and is parked",
        "1 instance in ERROR",
        "1 guest is silent",
        "1 conductor is silent",
    ):
        assert line in text
    for link in (
        "/console/operations?state=FAILED",
        "/console/instances?health=error",
        "/console/guests?health=silent",
    ):
        assert f'href="{link}"' in page
    assert "install-datastore" in text


def test_the_start_page_when_all_is_well(world_alone: World) -> None:
    client = world_alone.app.test_client()
    client.post("/console/signin", data={"token": "owner"})
    assert "Nothing is wrong" in client.get("/console/").text


@pytest.fixture
def world_alone(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("alone"))


def test_the_start_page_without_board_or_leader(scene: Scene) -> None:
    def away() -> list[JobView]:
        raise BoardUnavailable("no answer")

    scene.world.services.board = away
    with scene.world.database.write() as session:
        session.get_one(Conductor, CONDUCTOR).leader = False
    browser = scene.browser("admin")
    text = words(browser.get("/").text)
    assert "The jobboard does not answer" in text
    assert "No conductor leads" in text
    assert "does not answer" in browser.get("/jobs").text
    browser.get("/conductors")


def test_operations_are_filtered(still: Scene) -> None:
    browser = still.browser("admin")
    assert len(listed(browser)) == 6
    assert listed(browser, "?state=FAILED") == [still.failed]
    assert listed(browser, "?state=OPEN") == [still.create]
    assert listed(browser, "?kind=instance.restart") == []
    assert len(listed(browser, "?kind=instance.create")) == 6
    assert len(listed(browser, "?project=p2")) == 1
    assert listed(browser, "?instance=orders") == [still.create]
    assert listed(browser, f"?instance={still.broken}") == [still.failed]
    assert listed(browser, "?text=no+room") == [still.failed]
    assert listed(browser, f"?text={still.create[:13]}") == [still.create]
    assert listed(browser, "?text=%25") == []
    assert len(listed(browser, "?within=1h")) == 6
    assert listed(browser, "?since=2999-01-01T00:00") == []
    assert listed(browser, "?until=2000-01-01T00:00:00Z") == []
    assert len(listed(browser, "?since=2000-01-01T00:00&until=2999-01-01T00:00")) == 6
    for bad in (
        "state=x",
        "since=yesterday",
        "since=0001-01-01T00:00%2B01:00",
        "within=1y",
        "marker=x",
        f"text={'x' * 300}",
    ):
        browser.get(f"/operations?{bad}", 400)


def test_counts_by_state(still: Scene) -> None:
    text = words(still.browser().get("/operations?state=FAILED").text)
    for chip in ("all 5", "not ended 1", "running 1", "success 3", "failed 1", "suspended 0"):
        assert chip in text


def test_paging(scene: Scene) -> None:
    scene.world.conf.set_override("page_size", 2, "console")
    browser, seen, query = scene.browser("admin"), [], ""
    everything = 6
    for _ in range(everything // 2):
        page = browser.get(f"/operations{query}").text
        seen += listed(browser, query)
        found = re.search(r'rel="next" href="/console/operations([^"]+)"', page)
        query = found[1].replace("&amp;", "&") if found else ""
    assert query == ""
    assert len(set(seen)) == len(seen) == everything


def test_a_filter_begins_at_the_first_page(still: Scene) -> None:
    page = still.browser("admin").get(f"/operations?marker={still.failed}&kind=instance.create").text
    assert 'href="/console/operations?kind=instance.create&amp;state=FAILED"' in page


def test_an_operation(still: Scene) -> None:
    page = still.browser("admin").get(f"/operations/{still.create}").text
    text = words(page)
    for said in ("instance.create", "running", "4 of 12 steps done", CONDUCTOR, "Epoch 17", "orders-primary"):
        assert said in text
    assert page.count('data-state="SUCCESS"') == 4
    assert 'data-node="install-datastore" data-state="RUNNING"' in page
    assert f'href="/console/operations/{still.create}?task=install-datastore#step"' in page


def test_what_a_step_waits_for(still: Scene) -> None:
    browser = still.browser("admin")

    def panel(step: str) -> str:
        return words(browser.get(f"/operations/{still.create}?task={step}").text.partition("<aside")[2])

    running = panel("install-datastore")
    assert "Waits for the answer of the guest" in running
    assert f"asked by {CONDUCTOR}" in running
    assert "40 %" in running
    assert "Waits for the end of Install datastore" in panel("create-databases")
    done = panel("create-server")
    assert "server-1" in done
    assert "Waits for" not in done
    assert "port from Create port" in done
    browser.get(f"/operations/{still.create}?task=none-such", 404)
    browser.get(f"/operations/{still.create}?tab=none-such", 400)


def test_a_failed_step(still: Scene) -> None:
    browser = still.browser("admin")
    text = words(browser.get(f"/operations/{still.failed}?task=create-server").text)
    assert "no room for" in text
    assert "raise RuntimeError(words)" in text
    undone = words(browser.get(f"/operations/{still.failed}?tab=attempts&task=create-port").text)
    assert "undo failed" in undone
    assert "Undoing failed" in undone
    assert "the port is in use" in undone


def test_the_other_tabs(still: Scene) -> None:
    browser = still.browser()
    timeline = browser.get(f"/operations/{still.create}?tab=timeline").text
    assert timeline.count("data-step=") == 5
    assert "without a step at work" in timeline
    events = words(browser.get(f"/operations/{still.failed}?tab=events").text)
    order = [events.index(word) for word in ("Operation accepted", "Create port begun", "Operation ended")]
    assert order == sorted(order)


def test_an_operation_that_nobody_has_begun(scene: Scene) -> None:
    operation_id = scene.world.instance(scene.world.created(name="fresh")).operation_id
    browser = scene.browser()
    text = words(browser.get(f"/operations/{operation_id}?task=create-port").text)
    assert "Waits for a conductor" in text
    for tab in ("timeline", "attempts", "events", "arguments"):
        browser.get(f"/operations/{operation_id}?tab={tab}&task=create-port")


def test_what_an_operation_was_accepted_with(scene: Scene) -> None:
    with scene.world.database.write() as session:
        session.get_one(Operation, scene.create).note = f"a major upgrade of {NASTY}"
    page = scene.browser("admin").get(f"/operations/{scene.create}").text
    assert f'<p role="note">a major upgrade of {escape(NASTY)}</p>' in page


def test_an_operation_of_what_is_no_instance(scene: Scene) -> None:
    """It says what it is about: a group, all of whose instances change."""
    group = {"name": "g", "values": {}, "datastore": {"type": "mariadb"}}
    answer = scene.world.ask("POST", "configurations", json={"configuration": group})
    group_id = answer.json["configuration"]["id"]
    scene.world.conf.set_override("max_wait", 0.05, "api")
    scene.world.ask("PUT", f"instances/{scene.replica}", json={"instance": {"configuration": group_id}})
    scene.world.finish(scene.replica)
    scene.world.ask("PUT", f"configurations/{group_id}", json={"configuration": {"values": {"back_log": 90}}})
    operation_id = scene.world.instance(scene.replica).operation_id
    browser = scene.browser()
    assert f"Configuration {group_id}" in words(browser.get(f"/operations/{operation_id}").text)
    assert f"configuration {group_id[:8]}" in words(browser.get("/operations?kind=configuration.apply").text)


def test_a_flow_of_another_release(scene: Scene) -> None:
    with scene.world.database.write() as session:
        session.get_one(Operation, scene.create).version = 99
    browser = scene.browser()
    assert "does not know the flow" in browser.get(f"/operations/{scene.create}?task=create-server").text
    assert "create-server" in browser.get(f"/operations/{scene.create}?tab=attempts").text


def test_jobs(scene: Scene) -> None:
    forgotten = scene.world.instance(scene.world.created(name="forgotten")).operation_id or ""
    with scene.world.database.write() as session:
        row = session.get_one(Operation, forgotten)
        row.created = row.created.replace(year=2020)
    browser = scene.browser("admin")
    text = words(browser.get("/jobs").text)
    assert CONDUCTOR in text
    assert "claimed 1" in text
    assert "missing 1" in text
    only = browser.get("/jobs?show=missing").text
    assert forgotten in only
    assert scene.create not in only
    assert "1 accepted operation is not on the board" in words(browser.get("/").text)


def test_one_that_waits_for_another_is_not_forgotten(scene: Scene) -> None:
    scene.world.ask("DELETE", f"instances/{scene.building}")
    with scene.world.database.write() as session:
        for row in session.query(Operation).where(Operation.after_id == scene.create):
            row.created = row.created.replace(year=2020)
    text = words(scene.browser("admin").get("/jobs").text)
    assert "missing 0" in text
    assert "waiting 1" in text


def test_conductors_and_guests(still: Scene) -> None:
    browser = still.browser("admin")
    text = words(browser.get("/conductors").text)
    assert re.search(r"alive node-1:4711:0a1b2c3d leader", text)
    assert "silent node-2:9:ffff" in text
    silent = browser.get("/guests?health=silent").text
    assert still.silent in silent
    assert still.healthy not in silent
    browser.get("/guests?health=x", 400)


def test_instances(still: Scene) -> None:
    browser = still.browser()
    assert still.foreign not in browser.get("/instances").text
    assert "sessions-replica-1" in browser.get("/instances?text=replica").text
    assert still.broken in browser.get("/instances?health=error").text
    one = browser.get(f"/instances/{still.healthy}").text
    assert "12 % in use" in one
    assert re.search(r'aria-label="Connections at work since [0-9: -]+: least 2, most 3, now 3"', one)
    assert 'aria-label="Queries a second since' in one
    assert "Nothing was heard of it yet" in browser.get(f"/instances/{still.broken}").text
    family = browser.get(f"/instances/{still.replica}").text
    assert family.count('class="node ') == 2
    assert f'href="/console/instances/{still.silent}"' in family
    assert "Creating the instance failed" in browser.get(f"/instances/{still.broken}").text


def test_deleted_instances_are_gone_but_their_operations_are_not(scene: Scene) -> None:
    scene.world.ask("DELETE", f"instances/{scene.healthy}")
    delete = scene.world.instance(scene.healthy).operation_id
    with scene.world.database.write() as session:
        session.get_one(Operation, delete).state = State.SUCCESS
        session.merge(scene.world.instance(scene.healthy)).deleted = True
    browser = scene.browser()
    browser.get(f"/instances/{scene.healthy}", 404)
    assert "(deleted)" in browser.get(f"/operations/{delete}").text


def test_themes(still: Scene) -> None:
    browser = still.browser()
    assert "data-theme" not in browser.get("/operations").text
    for theme in ("dark", "light"):
        answer = browser.post("/theme", back="/operations?state=FAILED")
        assert answer.location == "/console/operations?state=FAILED"
        assert f'<html lang="en" data-theme="{theme}">' in browser.get("/operations").text
    browser.post("/theme")
    assert "data-theme" not in browser.get("/operations").text


def test_static_files_are_kept_by_browsers(still: Scene) -> None:
    page = still.world.app.test_client().get("/console/").text
    for address in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page):
        answer = still.world.app.test_client().get(address)
        assert answer.status_code == 200, address
        assert "max-age=86400" in answer.headers["Cache-Control"]
    assert still.world.app.test_client().get("/console/static/../app.py").status_code == 404

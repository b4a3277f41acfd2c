# SPDX-License-Identifier: Apache-2.0
"""Flows that run while their page is open: every change appears, and the page is never loaded again."""

from playwright.sync_api import Locator, Page, expect

from tests.console.conftest import SignIn, keep
from tests.functional.stack import EmbeddedStack
from tests.functional.stack.client import PATIENCE
from tests.waiting import wait_for

SERVER = "create-server.execute.called"
INSTALL = "guest.install-datastore.execute.before"
UNDO_SERVER = "create-server.revert.called"
RECORD_STATES = """() => {
  window.seen = [];
  const look = () => {
    for (const node of document.querySelectorAll("[data-node]")) {
      const now = node.dataset.node + " " + node.dataset.state;
      if (!window.seen.includes(now)) window.seen.push(now);
    }
  };
  look();
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def step(page: Page, name: str) -> Locator:
    return page.locator(f'[data-node="{name}"]')


def state(page: Page) -> Locator:
    return page.locator("#live-head .big .state")


def shows(page: Page, name: str, wanted: str) -> None:
    expect(step(page, name)).to_have_attribute("data-state", wanted)


def test_a_create_from_begin_to_end(stack: EmbeddedStack, sign_in: SignIn) -> None:
    client = stack.client()
    with stack.faults.holding(INSTALL) as install:
        with stack.faults.holding(SERVER) as server:
            instance_id, create = client.create("watched")
            server.reached()
            page = sign_in(path=f"/operations/{create}")
            page.evaluate(RECORD_STATES)
            expect(page.get_by_text("● live")).to_be_visible()
            shows(page, "create-server", "RUNNING")
            shows(page, "install-datastore", "PENDING")
            step(page, "create-volume").get_by_role("link").focus()
            keep(page, "operation-running")
        install.reached()
        shows(page, "create-server", "SUCCESS")
        shows(page, "install-datastore", "RUNNING")
    expect(state(page)).to_contain_text("success")
    for name in ("create-port", "create-volume", "open-channel", "create-server", "install-datastore", "record-health"):
        shows(page, name, "SUCCESS")
    seen = page.evaluate("window.seen")  # would be gone if the page had been loaded again
    for one in (
        "create-server RUNNING",
        "create-server SUCCESS",
        "install-datastore PENDING",
        "install-datastore RUNNING",
    ):
        assert one in seen
    focused = page.evaluate("document.activeElement.closest('[data-node]').dataset.node")
    assert focused == "create-volume"
    client.deleted(instance_id)


def test_a_failure_is_shown_and_undone(stack: EmbeddedStack, sign_in: SignIn) -> None:
    client = stack.client()
    stack.faults.arm(INSTALL, "raise")
    with stack.faults.holding(UNDO_SERVER) as undo:
        instance_id, create = client.create("doomed")
        page = sign_in("dbflow-admin", f"/operations/{create}?task=install-datastore")
        page.evaluate(RECORD_STATES)
        undo.reached()
        expect(state(page)).to_contain_text("reverting")
        shows(page, "create-server", "REVERTING")
        expect(page.locator("#step").get_by_role("heading", name="Failed")).to_be_visible()
        expect(page.locator("#step .error")).to_contain_text("injected")
        keep(page, "operation-reverting")
    expect(state(page)).to_contain_text("reverted")
    for name in ("create-server", "create-port", "create-volume"):
        shows(page, name, "REVERTED")
    assert "install-datastore FAILURE" in page.evaluate("window.seen") or "install-datastore REVERTED" in page.evaluate(
        "window.seen"
    )
    client.deleted(instance_id)


def test_cancel_from_the_page(stack: EmbeddedStack, sign_in: SignIn) -> None:
    client = stack.client()
    with stack.faults.holding(INSTALL) as held:
        instance_id, create = client.create("cancelled")
        held.reached()
        page = sign_in(path=f"/operations/{create}?tab=attempts")
        expect(page.get_by_role("button", name="Resume")).to_be_disabled()
        page.get_by_role("button", name="Cancel").click()
        expect(state(page)).to_contain_text("to cancel is requested")
        expect(page.get_by_role("button", name="Cancel")).to_be_disabled()
        expect(page.locator("#why-cancel")).to_have_text("Cancel: it is being undone already.")
        assert page.url.endswith(f"/operations/{create}?tab=attempts")
        stack.wait_stopping(create)
    expect(state(page)).to_contain_text("reverted")
    client.deleted(instance_id)


def test_a_selection_in_a_live_table(stack: EmbeddedStack, sign_in: SignIn) -> None:
    client = stack.client()
    with stack.faults.holding(INSTALL) as held:
        instance_id, create = client.create("paused")
        held.reached()
        page = sign_in(path="/operations?state=OPEN")
        row = page.locator(f"#op-{create}")
        expect(row).to_contain_text("install-datastore")
        expect(page.get_by_role("button", name="Suspend")).to_be_disabled()
        row.get_by_role("checkbox").check()
        expect(page.get_by_text("With 1 chosen:")).to_be_visible()
        client.do(create, "suspend")  # somebody else does
        expect(row).to_contain_text("to suspend")
        assert row.get_by_role("checkbox").is_checked()  # the row changed, its box stays
        page.get_by_role("button", name="Suspend").click()
        expect(page.get_by_text("it is suspended already")).to_be_visible()
        page.get_by_role("link", name="Back", exact=True).click()
        stack.wait_stopping(create)
    expect(row).to_contain_text("suspended")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name="Resume: 1 of 1 done")).to_be_visible()
    client.wait_operation(create)
    page.goto(page.url.rpartition("/act")[0] + "?state=OPEN")
    expect(row).to_have_count(0)
    client.deleted(instance_id)


def test_releasing_a_claim_from_the_page(stack: EmbeddedStack, sign_in: SignIn) -> None:
    """There is no other conductor here: it is taken again after a while, and goes on with the answer of the guest."""
    client = stack.client()
    with stack.faults.holding(INSTALL) as held:
        instance_id, create = client.create("released")
        held.reached()
        page = sign_in("dbflow-admin", f"/operations/{create}")
        claims = page.locator("#live-head .facts div", has_text="Claims").locator("dd")
        expect(claims).to_have_text("1")
        page.get_by_role("button", name="Release").click()
        expect(page.locator("#why-release")).to_have_text("Release: its claim is being given up already.")
        expect(page.get_by_role("button", name="Release")).to_be_enabled()  # of the claim that was made anew
        shows(page, "install-datastore", "RUNNING")
    expect(state(page)).to_contain_text("success")
    expect(claims).to_have_text("1")  # one that was given up for a person does not count
    client.deleted(instance_id)


def test_a_page_goes_on_when_the_server_was_away(stack: EmbeddedStack, sign_in: SignIn) -> None:
    page = sign_in("dbflow-admin", "/conductors")
    expect(page.get_by_text("● live")).to_be_visible()
    expect(page.locator("tbody")).to_contain_text(f":{stack.process.pid}:")
    stack.process.stop()
    expect(page.get_by_text("not live")).to_be_visible()
    stack.start()
    expect(page.get_by_text("● live")).to_be_visible()
    expect(page.locator("tbody")).to_contain_text(f":{stack.process.pid}:")


def test_draining_the_conductor(stack: EmbeddedStack, sign_in: SignIn) -> None:
    client = stack.client()
    page = sign_in("dbflow-admin", "/conductors")
    conductor = page.locator("tbody tr", has_text=f":{stack.process.pid}:")
    expect(conductor).to_contain_text("alive")
    conductor.get_by_role("button", name="Drain").click()
    expect(conductor).to_contain_text("draining")
    log = stack.state / "dbflow.log"
    wait_for(lambda: "draining: claiming nothing more" in log.read_text(), PATIENCE, "the conductor to obey")
    instance_id, create = client.create("patient")
    page.goto(page.url.replace("/conductors", f"/operations/{create}?task=create-port"))
    expect(page.locator("#step")).to_contain_text("a conductor")
    expect(state(page)).to_contain_text("accepted")
    page.goto(page.url.partition("/operations")[0] + "/conductors")
    conductor.get_by_role("button", name="Claim again").click()
    client.wait_operation(create)
    client.deleted(instance_id)

# SPDX-License-Identifier: Apache-2.0
"""The page of backups: what is made while it is open, chains, and deleting a selection."""

import re

from playwright.sync_api import expect

from tests.console.conftest import SignIn, keep
from tests.functional.stack import EmbeddedStack

SENDING = "guest.stream.send"


def test_backups_as_they_are_made_and_deleted(stack: EmbeddedStack, sign_in: SignIn) -> None:
    client = stack.client()
    instance_id, create = client.create("backed-up")
    client.wait_operation(create)
    page = sign_in(path=f"/backups?instance={instance_id}")
    expect(page.get_by_text("● live")).to_be_visible()
    expect(page.get_by_text("No backup fits.")).to_be_visible()
    page.evaluate("window.here = true")  # gone if the page is loaded again

    with stack.faults.holding(SENDING) as held:
        full, operation = client.back_up(instance_id, "full")
        held.reached()
        row = page.locator(f"#backup-{full}")
        expect(row).to_contain_text("building")
        expect(row.get_by_role("checkbox")).to_be_disabled()
        expect(row.get_by_role("checkbox")).to_have_attribute("title", "Can't be deleted: it is being made")
        expect(row.get_by_role("link", name=operation[:8])).to_be_visible()
        expect(row.get_by_role("img", name=re.compile("of the data is read"))).to_be_visible()
        keep(page, "backups-running")
    expect(row).to_contain_text("completed")
    expect(row.locator("[data-label=Stored]")).to_contain_text("iB")
    expect(row.get_by_role("checkbox")).to_be_enabled()
    child, operation = client.back_up(instance_id, "difference", incremental=1)
    client.wait_operation(operation)
    later = page.locator(f"#backup-{child}")
    expect(later).to_contain_text("incremental to")
    assert page.evaluate("window.here")

    later.get_by_role("link", name=full[:8]).click()
    expect(page).to_have_url(re.compile(f"chain={full}"))
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Text").fill("diff")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert {f"chain={full}", "text=diff", f"instance={instance_id}"} <= set(page.url.partition("?")[2].split("&"))
    page.get_by_role("link", name="Clear").click()

    delete = page.get_by_role("button", name="Delete, and the differences to them")
    expect(delete).to_be_disabled()
    row.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    delete.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Delete: 1 of 1 done")).to_be_visible()
    page.get_by_role("link", name="Back", exact=True).click()
    expect(row).to_have_count(0)
    expect(later).to_have_count(0)
    client.ask("GET", f"/backups/{child}", status=404)
    client.deleted(instance_id)

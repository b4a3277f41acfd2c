# SPDX-License-Identifier: Apache-2.0
"""Every page in both themes, narrow, without JavaScript and from the keyboard; filters, deep links, the ticket."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import SignIn, keep
from tests.functional.stack import EmbeddedStack

CANCEL_NONE = """() => {
  const form = document.getElementById("batch");
  form.insertAdjacentHTML("beforeend", "<input name=id value=none><input name=verb value=cancel>");
  form.submit();
}"""
NASTY = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def shop(stack: EmbeddedStack) -> Iterator[dict[str, str]]:
    """An instance with a name that tries, its create, and one that failed: page -> path."""
    client = stack.client()
    stack.faults.arm("guest.install-datastore.execute.before", "raise")
    broken, failed = client.create("broken")
    client.wait_operation(failed, "REVERTED")
    instance, create = client.create(NASTY)
    client.wait_operation(create)
    client.wait_healthy(instance)
    backup, operation = client.back_up(instance, NASTY)
    client.wait_operation(operation)
    yield {
        "overview": "/",
        "operations": "/operations",
        "graph": f"/operations/{create}?task=install-datastore",
        "timeline": f"/operations/{create}?tab=timeline",
        "attempts": f"/operations/{failed}?tab=attempts&task=install-datastore",
        "events": f"/operations/{create}?tab=events",
        "arguments": f"/operations/{create}?tab=arguments",
        "instances": "/instances",
        "instance": f"/instances/{instance}",
        "backups": "/backups",
        "jobs": "/jobs",
        "conductors": "/conductors",
        "guests": "/guests",
        "missing": "/operations/none",
    }
    client.delete_backup(backup)
    client.deleted(broken, instance)


def serious(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe finds that matters, by all its rules or by some."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_and_screenshots(sign_in: SignIn, base: str, shop: dict[str, str], theme: str) -> None:
    page = sign_in("dbflow-admin", color_scheme=theme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is (theme == "light")
    for name, path in shop.items():
        page.goto(f"{base}{path}")
        keep(page, f"{name}-{theme}")
        # Colours are all that differs in the dark.
        assert serious(page, ["color-contrast"] if theme == "dark" else None) == [], name
    page.goto(f"{base}/operations")
    page.evaluate(CANCEL_NONE)
    expect(page.get_by_role("heading", name="0 of 1 done")).to_be_visible()
    keep(page, f"results-{theme}")
    assert serious(page) == []


def test_the_form_is_clean_too(chromium: Browser, base: str) -> None:
    page = chromium.new_page()
    page.goto(base)
    assert serious(page) == []
    page.context.close()


def test_axe_would_tell(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content('<html><title>x</title><body><img src="x"><p style="color: #ccc">pale</p></body></html>')
    assert {found.partition(":")[0] for found in serious(page)} >= {"image-alt", "color-contrast"}
    assert [found.partition(":")[0] for found in serious(page, ["color-contrast"])] == ["color-contrast"]
    page.context.close()


def test_narrow(sign_in: SignIn, base: str, shop: dict[str, str]) -> None:
    page = sign_in("dbflow-admin", viewport={"width": 400, "height": 800})
    for name, path in shop.items():
        page.goto(f"{base}{path}")
        keep(page, f"{name}-narrow")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, name


def test_without_javascript(sign_in: SignIn, base: str, shop: dict[str, str]) -> None:
    page = sign_in("dbflow-admin", java_script_enabled=False)
    for path in shop.values():
        page.goto(f"{base}{path}")
        expect(page.locator("h1")).not_to_be_empty()
    page.goto(f"{base}{shop['graph']}")
    expect(page.locator('[data-node="install-datastore"]')).to_have_attribute("data-state", "SUCCESS")
    expect(page.locator("#step")).to_contain_text("Install datastore")
    expect(page.locator("#live-state")).to_be_hidden()
    page.goto(f"{base}/operations")
    page.get_by_label("Text").fill("no such thing")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No operation fits.")).to_be_visible()


def test_the_toggle(sign_in: SignIn) -> None:
    page = sign_in(path="/operations?state=SUCCESS")
    dark, white = "rgb(13, 17, 23)", "rgb(255, 255, 255)"
    for chosen, paper in (("dark", dark), ("light", white), ("system", white)):
        page.get_by_role("button", name="Colours").click()
        expect(page.get_by_role("button", name=f"Colours: {chosen}")).to_be_visible()
        expect(page.locator("body")).to_have_css("background-color", paper)
        expect(page).to_have_url(re.compile(r"/operations\?state=SUCCESS$"))


def test_filters_are_in_the_address(sign_in: SignIn, shop: dict[str, str]) -> None:
    page = sign_in(path="/operations")
    page.get_by_label("Kind").select_option("instance.create")
    page.get_by_label("Instance", exact=True).fill("broken")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name=re.compile("reverted")).click()
    expect(page).to_have_url(re.compile("state="))
    assert {"kind=instance.create", "instance=broken", "state=REVERTED"} <= set(page.url.partition("?")[2].split("&"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.get_by_label("Instance", exact=True)).to_have_value("broken")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_deep_links(sign_in: SignIn, base: str, shop: dict[str, str]) -> None:
    page = sign_in(path=shop["graph"].partition("?")[0])
    page.locator('[data-node="create-server"]').get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"\?task=create-server#step$"))
    expect(page.locator("#step").get_by_role("heading", name="Create server")).to_be_visible()
    page.get_by_role("link", name="Timeline").click()
    expect(page).to_have_url(re.compile("tab="))
    assert {"tab=timeline", "task=create-server"} == set(page.url.partition("?")[2].split("&"))
    expect(page.locator("[data-step=create-server]")).to_be_visible()
    expect(page.locator("#step").get_by_role("heading", name="Create server")).to_be_visible()


def test_a_name_is_a_name(sign_in: SignIn, base: str, shop: dict[str, str]) -> None:
    page = sign_in("dbflow-admin")
    for name in ("operations", "instances", "instance", "backups", "graph", "guests"):
        page.goto(f"{base}{shop[name]}")
        expect(page.get_by_text(NASTY).first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0


def test_volume_and_load_are_plotted(sign_in: SignIn, base: str, shop: dict[str, str]) -> None:
    """From heartbeats of the guest, which say more as the page is open."""
    page = sign_in(path=shop["instance"])
    expect(page.locator(".plot", has_text="Connections").first).to_be_visible()
    expect(page.locator(".plot", has_text="Volume")).to_contain_text("of 1 GiB")
    expect(page.get_by_role("img", name=re.compile("^Volume since "))).to_be_visible()


def test_from_the_keyboard(sign_in: SignIn, shop: dict[str, str]) -> None:
    page = sign_in(path=shop["graph"].partition("?")[0])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('[data-node]')?.dataset.node ?? ''"))
        if reached[-1] == "create-server":
            break
    assert reached[-1] == "create-server"
    page.keyboard.press("Enter")
    expect(page.locator("#step").get_by_role("heading", name="Create server")).to_be_visible()


def test_the_one_time_link(stack: EmbeddedStack, chromium: Browser) -> None:
    link = re.findall(r"^console: (\S+)$", stack.process.text(), re.MULTILINE)[-1]
    for expected in ("Is anything wrong?", "Sign in"):
        page = chromium.new_page()
        page.goto(link)
        expect(page.locator("h1")).to_have_text(expected)
        page.context.close()


def test_another_project(sign_in: SignIn, base: str, stack: EmbeddedStack, shop: dict[str, str]) -> None:
    """The administrator's instance is not the user's."""
    instance_id, create = stack.admin().create("theirs")
    stack.admin().wait_operation(create)
    backup_id, operation = stack.admin().back_up(instance_id, "theirs")
    stack.admin().wait_operation(operation)
    page = sign_in()
    for path in (f"/operations/{create}", f"/instances/{instance_id}"):
        answer = page.goto(f"{base}{path}")
        assert answer is not None
        assert answer.status == 404
    for path in ("/operations", "/backups", f"/backups?chain={backup_id}"):
        page.goto(f"{base}{path}")
        assert "theirs" not in page.locator("main").inner_text()
    stack.admin().delete_backup(backup_id)
    stack.admin().deleted(instance_id)

# SPDX-License-Identifier: Apache-2.0
"""A whole dbflow, and a browser that looks at it."""

import pathlib
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.functional.stack import EmbeddedStack
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.fixtures import FAILED, images, pytest_runtest_makereport

__all__ = ["images", "pytest_runtest_makereport"]

ARTEFACTS = pathlib.Path(__file__).parents[2] / ".cache" / "tests" / "console"
EXPECTED = ("the server responded with a status of 40", "net::ERR_")
"""Browsers tell the console of every answer that is an error, or missing; tests that ask for one do so on purpose."""

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="session")
def stack(images: pathlib.Path) -> Iterator[EmbeddedStack]:
    """dbflow-standalone; looks often, so that the tests are quick."""
    with EmbeddedStack(images, {"console": {"interval": 0.1}}) as made:
        yield made  # type: ignore[misc]


@pytest.fixture(scope="session")
def base(stack: EmbeddedStack) -> str:
    """The console's address."""
    return f"{stack.client().endpoint.partition('/v1.0')[0]}/console"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's, without a window."""
    found = shutil.which("chromium")
    assert found is not None, "tools/setup.sh test installs chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


SignIn = Callable[..., Page]


@pytest.fixture
def sign_in(request: pytest.FixtureRequest, stack: EmbeddedStack, chromium: Browser, base: str) -> Iterator[SignIn]:
    """Call it for a page of a browser of its own, signed in with a token of clouds.yaml. Afterwards nothing may have
    been said on the browser's console: no script failed, nothing was refused by the Content-Security-Policy."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in EXPECTED):
            said.append(message.text)

    def sign_in(who: str = "dbflow", path: str = "/", **options: Any) -> Page:
        contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))
        contexts[-1].set_default_timeout(1000 * PATIENCE)
        page = contexts[-1].new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{base}{path}")
        page.get_by_label("Token").fill(stack._client(who)._token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        return page

    yield sign_in
    if request.node.stash.get(FAILED, False):
        for number, context in enumerate(contexts):
            for page in context.pages:
                page.screenshot(path=ARTEFACTS / f"failed-{slug(request.node.name)}-{number}.png", full_page=True)
    for context in contexts:
        context.close()
    if request.node.stash.get(FAILED, False):
        print(stack.tell())
    assert said == []


def slug(text: str) -> str:
    """For a file's name."""
    return re.sub(r"[^\w-]+", "-", text).strip("-")


def keep(page: Page, name: str) -> None:
    """A screenshot as a test artefact."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{slug(name)}.png", full_page=True)

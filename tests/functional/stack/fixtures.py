# SPDX-License-Identifier: Apache-2.0
"""Pytest's view of the stacks: one of each kind a test process, with images that all of them share."""

import pathlib
from collections.abc import Generator, Iterator

import pytest

from tests.functional.stack import EmbeddedStack, RealStack, Stack
from tests.functional.stack.images import prepared_images

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know that their test failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def images() -> Iterator[pathlib.Path]:
    """A directory with every image that can be built here."""
    with prepared_images() as made:
        yield made


@pytest.fixture(scope="session")
def embedded_stack(images: pathlib.Path) -> Iterator[Stack]:
    with EmbeddedStack(images) as stack:
        yield stack


@pytest.fixture(scope="session")
def real_stack(images: pathlib.Path) -> Iterator[Stack]:
    with RealStack(images) as stack:
        yield stack


@pytest.fixture(params=["embedded", "real"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The test runs on both sets of parts."""
    made: Stack = request.getfixturevalue(f"{request.param}_stack")
    yield made
    after_failure(request, made)


def after_failure(request: pytest.FixtureRequest, stack: Stack) -> None:
    """Show what the services said, and clear up so that the next test does not fail for this one's sake."""
    if not request.node.stash.get(FAILED, False):
        return
    print(stack.tell())
    stack.start()
    client = stack.client()
    there = client.ask("GET", "/instances")["instances"]
    for instance in sorted(there, key=lambda one: "replica_of" not in one):  # a source goes after its replicas
        client.wait_operation(client.delete(instance["id"]))

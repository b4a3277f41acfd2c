# SPDX-License-Identifier: Apache-2.0
"""Every test of the suite runs against every plug-in's real server; a module shares one installed server."""

import pathlib
from collections.abc import Iterator

import pytest

from dbflow.db import migrate
from dbflow.db.session import Database
from tests.contract.kits import KITS, Kit
from tests.contract.site import Site, new_site, open_directory


@pytest.fixture(scope="session", params=KITS, ids=lambda kit: kit.manager)
def kit(request: pytest.FixtureRequest) -> Kit:
    found: Kit = request.param
    return found


@pytest.fixture(scope="session")
def image(kit: Kit) -> Iterator[pathlib.Path]:
    """The plug-in's prepared data directory."""
    with open_directory() as base, new_site(kit, None) as builder:
        target = base / "image"
        builder.datastore.lifecycle.build_image(target)
        yield target


@pytest.fixture(scope="module")
def site(kit: Kit, image: pathlib.Path) -> Iterator[Site]:
    """A running server; tests leave it running."""
    with new_site(kit, image) as made:
        made.install()
        yield made


@pytest.fixture
def fresh(kit: Kit, image: pathlib.Path) -> Iterator[Site]:
    """A machine with nothing installed."""
    with new_site(kit, image) as made:
        yield made


@pytest.fixture(params=["sqlite", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Database]:
    """An empty database of dbflow's own, of each kind that must hold."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/state.sqlite" if sqlite else request.getfixturevalue("mysql_url")
    migrate.upgrade(url)
    made = Database(url)
    yield made
    made.close()

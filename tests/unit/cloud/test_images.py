# SPDX-License-Identifier: Apache-2.0
"""Images of the local cloud: directories that are whole, and the machine's own programs."""

import json
import os
import pathlib

import pytest

from dbflow.cloud.base import NotFound
from dbflow.cloud.local.images import OWN, LocalImages


def make(directory: pathlib.Path, name: str, age: int, *tags: str) -> None:
    place = directory / name
    (place / "bin").mkdir(parents=True)
    record = place / "image.json"
    record.write_text(json.dumps({"name": f"{name} in words", "tags": tags}))
    os.utime(record, (1_000_000 - age, 1_000_000 - age))


@pytest.fixture
def images(tmp_path: pathlib.Path) -> LocalImages:
    make(tmp_path, "old", 10, "mariadb", "11.8")
    make(tmp_path, "new", 1, "mariadb", "11.8")
    make(tmp_path, "newest", 0, "other")
    (tmp_path / "unfinished" / "bin").mkdir(parents=True)
    return LocalImages(tmp_path)


def test_by_id(images: LocalImages, tmp_path: pathlib.Path) -> None:
    found = images.get("old")
    assert (found.id, found.name, found.tags) == ("old", "old in words", {"mariadb", "11.8"})
    assert images.programs("old") == tmp_path / "old" / "bin"


def test_the_machines_own(images: LocalImages) -> None:
    assert images.get("own") == OWN
    assert images.programs("own") is images.programs(None) is None


@pytest.mark.parametrize("image_id", ["none", "unfinished", "", "..", "../old", "old/", ".old", "x" * 100, "a\nb"])
def test_there_is_none(images: LocalImages, image_id: str) -> None:
    with pytest.raises(NotFound):
        images.get(image_id)
    with pytest.raises(NotFound):
        images.programs(image_id)


def test_by_tags(images: LocalImages) -> None:
    assert images.tagged(["11.8", "mariadb"]).id == "new"
    assert images.tagged(["mariadb"]).id == "new"
    assert images.tagged(["own"]) == OWN
    with pytest.raises(NotFound, match=r"11\.8, other"):
        images.tagged(["11.8", "other"])


def test_no_directory_at_all(tmp_path: pathlib.Path) -> None:
    empty = LocalImages(tmp_path / "none")
    assert empty.get("own") == OWN
    with pytest.raises(NotFound):
        empty.get("other")

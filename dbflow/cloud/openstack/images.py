# SPDX-License-Identifier: Apache-2.0
"""Glance's images."""

import urllib.parse
from collections.abc import Callable, Sequence

from dbflow.cloud import base
from dbflow.cloud.openstack.client import Json, Service


class GlanceImages(base.Images):
    """Public ones, and those of dbflow's own project: an administrator sees those of other projects too, and their
    owners could have anything run as a database."""

    def __init__(self, image: Service, project_id: Callable[[], str]) -> None:
        self._image, self._project_id = image, project_id

    def get(self, image_id: str) -> base.Image:
        """NotFound when there is none of that id, or none that can be used."""
        missing = base.NotFound(f"Image {image_id} cannot be found.")
        try:
            found = self._image.get(f"Image {image_id}", f"/images/{urllib.parse.quote(image_id, safe='')}")
        except base.NotFound:
            raise missing from None
        if found["status"] != "active" or not self._trusted(found):
            raise missing
        return _image(found)

    def tagged(self, tags: Sequence[str]) -> base.Image:
        """The newest that has all of the tags. NotFound when there is none."""
        query = {"tag": list(tags), "status": "active", "sort": "created_at:desc"}
        for found in self._image.list("Images", "/images", "images", query):
            if self._trusted(found):
                return _image(found)
        raise base.NotFound(f"An image tagged {', '.join(tags)} cannot be found.")

    def _trusted(self, image: Json) -> bool:
        return bool(image["visibility"] == "public" or image["owner"] == self._project_id())


def _image(image: Json) -> base.Image:
    return base.Image(id=image["id"], name=image.get("name") or "", tags=frozenset(image.get("tags") or ()))

# SPDX-License-Identifier: Apache-2.0
"""Images of the cloud, as versions of datastores name them: by an id, or by tags."""

from collections.abc import Sequence

from dbflow.cloud.base import CloudError, Images, NotFound
from dbflow.db.models import DatastoreVersion
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest, Unavailable

_LATER = {"Retry-After": "5"}


def must_exist(services: Services, image: str | None, tags: Sequence[str], field: str = "image") -> None:
    """BadRequest naming the field when the cloud has no such image, or none with all of those tags."""
    if image:
        _ask(services.images, image, (), field)
    elif tags:
        _ask(services.images, None, tags, "image_tags")


def of_version(services: Services, version: DatastoreVersion) -> str | None:
    """The id of the image that servers of a version are made of now: its own, or the newest with its tags. None where
    it names none (local cloud). BadRequest when the cloud has it no more."""
    if not version.image_id and not version.image_tags:
        return None
    return _ask(services.images, version.image_id, version.image_tags, "datastore.version")


def _ask(images: Images, image: str | None, tags: Sequence[str], field: str) -> str:
    try:
        return (images.get(image) if image else images.tagged(tags)).id
    except NotFound as error:
        raise BadRequest(f"{error} ({field})") from None
    except CloudError:
        raise Unavailable("The cloud does not tell its images just now.", _LATER) from None

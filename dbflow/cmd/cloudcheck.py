# SPDX-License-Identifier: Apache-2.0
"""Whether the cloud has what it is asked for: a check of dbflow-status."""

from collections.abc import Iterable, Iterator

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code, Result

from dbflow import cloud
from dbflow.cloud.base import Cloud, CloudError, NotFound, Unavailable
from dbflow.db.models import DatastoreVersion


def checked(conf: cfg.ConfigOpts, versions: Iterable[DatastoreVersion]) -> Result:
    """``versions``: those that can be chosen."""
    try:
        asked = cloud.load(conf).impatient(conf.api.cloud_timeout)
        lost = [*asked.missing(), *_without_image(asked, versions)]
        flavors = asked.flavors.list()
    except Unavailable as error:
        return Result(Code.WARNING, f"The cloud does not answer: {error}.")
    except CloudError as error:
        return Result(Code.FAILURE, str(error))
    if not flavors:
        return Result(Code.FAILURE, "The cloud has no flavor that dbflow may use.")
    if lost:
        return Result(Code.FAILURE, f"The cloud does not have: {'; '.join(lost)}.")
    return Result(Code.SUCCESS)


def _without_image(asked: Cloud, versions: Iterable[DatastoreVersion]) -> Iterator[str]:
    for version in versions:
        try:
            if version.image_id:
                asked.images.get(version.image_id)
            elif version.image_tags:
                asked.images.tagged(version.image_tags)
        except NotFound:
            image = version.image_id or f"with the tags {', '.join(version.image_tags)}"
            yield f"image of {version.manager} {version.version}: {image}"

# SPDX-License-Identifier: Apache-2.0
"""Images: what a server's programs are. The machine's own, or those of a root file system beside it.

An image is a directory ``ID`` of ``[local_cloud] rootfs_dir`` with the programs in ``bin``; ``image.json`` is written
last, so it exists for whole images only. ``tools/rootfs.sh`` makes them.
"""

import pathlib
import re
from collections.abc import Sequence

from dbflow.cloud import base
from dbflow.cloud.local import files

OWN = base.Image("own", "the programs of this machine", frozenset({"own"}))
"""What servers run that were made without an image."""
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")
_RECORD = "image.json"


class LocalImages(base.Images):
    """Those of a directory, which need not exist."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory

    def get(self, image_id: str) -> base.Image:
        """NotFound when there is none of that id."""
        if image_id == OWN.id:
            return OWN
        with files.naming(f"Image {image_id[:80]!r}"):
            record = files.read_json(self._directory / image_id / _RECORD) if _ID.fullmatch(image_id) else None
        if record is None:
            raise base.NotFound(f"Image {image_id[:80]!r} cannot be found.")
        return base.Image(image_id, record["name"], frozenset(record["tags"]))

    def tagged(self, tags: Sequence[str]) -> base.Image:
        """The newest that has all of the tags; NotFound."""
        places = [self._directory / name for name in files.names(self._directory)]
        whole = [place for place in places if (place / _RECORD).exists()]
        newest_first = sorted(whole, key=lambda place: (place / _RECORD).stat().st_mtime, reverse=True)
        for image in (*(self.get(place.name) for place in newest_first), OWN):
            if image.tags >= set(tags):
                return image
        raise base.NotFound(f"An image with the tags {', '.join(tags)[:200]} cannot be found.")

    def programs(self, image_id: str | None) -> pathlib.Path | None:
        """Where the programs of an image are; None: where the machine's own are. NotFound."""
        if image_id is None or self.get(image_id) == OWN:
            return None
        return self._directory / image_id / "bin"

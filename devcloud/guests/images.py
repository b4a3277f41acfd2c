# SPDX-License-Identifier: Apache-2.0
"""Glance's images on the compute host."""

import pathlib
from collections.abc import Callable

from devcloud.guests.host import attempt, run

MAGIC = b"hsqs"
"""How a squashfs begins."""


def mounted(cloud: pathlib.Path, image: str, download: Callable[[str], None]) -> pathlib.Path | None:
    """Where an image is mounted, once ``download`` has put it at the path that it is given; None when it is no
    squashfs. Not to be called twice at the same time."""
    path = _place(cloud) / image
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        download(str(part))
        part.rename(path)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return None
    target = path.with_suffix(".mounted")
    if not target.is_mount():
        target.mkdir(exist_ok=True)
        run("mount", "-t", "squashfs", "-o", "loop,ro", str(path), str(target))
    return target


def unmount_all(cloud: pathlib.Path) -> None:
    """When no server is on."""
    for path in _place(cloud).glob("*.mounted"):
        while path.is_mount():
            attempt("umount", "-l", str(path))


def _place(cloud: pathlib.Path) -> pathlib.Path:
    return cloud / "nova" / "images"

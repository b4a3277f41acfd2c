# SPDX-License-Identifier: Apache-2.0
"""The binary log: every server keeps one, since replicas are made of servers that run; but not at its data's cost."""

from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import quoting
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout

MIB = 1024 * 1024
SHARE = 8
"""What it may take of the data's file system: one part of so many, and the file that is written to."""


def file_size(disk: int) -> int:
    """Bytes of one file of it, on a file system of ``disk`` MiB."""
    return max(4, min(disk // 64, 256)) * MIB


def bound(layout: Layout, client: Client) -> None:
    """Throw away the oldest of what is more than its share; what a connected replica reads stays. One that was away
    for longer can't follow any more, and must be made anew: a source whose disk is full is worse. A server that can't
    be asked now is asked again soon."""
    files = sorted(layout.binlog.glob("binlog.[0-9]*"))
    left, kept = layout.disk * MIB // SHARE, len(files) - 1
    while kept > 0 and (left := left - files[kept - 1].stat().st_size) >= 0:
        kept -= 1
    if kept <= 0:
        return
    try:
        with client.session() as session:
            session.run(f"PURGE BINARY LOGS TO {quoting.literal(files[kept].name)}")
    except DatastoreError:
        return

# SPDX-License-Identifier: Apache-2.0
"""The file store, served by this process, and the arguments of guest tasks that a control plane would make."""

import base64
import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from dbflow import conf as options
from dbflow.objectstore.base import READ, WRITE
from dbflow.objectstore.directory import Directory
from dbflow.objectstore.file import FileStore
from dbflow.objectstore.server import ObjectServer
from tests.objects.moody import Moods, moody

CONTAINER, PROJECT = "backups", "p1"


class Vault:
    """Holds the backups of a test."""

    def __init__(self, store: FileStore, directory: pathlib.Path, *, segment_size: int = 1) -> None:
        """``segment_size`` in MiB: small, so that a small backup has many."""
        self.store, self.directory = store, directory
        self._segment_size = segment_size
        self.keys: dict[str, str] = {}
        store.make_container(CONTAINER)

    def upload(self, backup_id: str, *, parent_id: str | None = None, patience: float = 5.0) -> dict[str, Any]:
        """As flows.tasks.objects.OpenUpload makes it."""
        key = self.keys.setdefault(backup_id, base64.b64encode(os.urandom(32)).decode())
        return {
            "store": self.store.grant(CONTAINER, self.prefix(backup_id), (WRITE,)).for_guest(),
            "backup_key": key,
            "label": self.prefix(backup_id),
            "segment_size": self._segment_size,
            "level": 1,
            "patience": patience,
            "about": {
                "backup_id": backup_id,
                "project_id": PROJECT,
                "parent_id": parent_id,
                "datastore": "mariadb",
                "datastore_version": "10.11.19",
                "created": "2026-11-21T19:24:56",
            },
        }

    def download(self, made: dict[str, dict[str, Any]], strategy: str = "physical") -> dict[str, Any]:
        """As flows.tasks.objects.OpenDownload makes it; ``made``: id -> what making the backup answered."""
        return {
            "patience": 5.0,
            "chain": [
                {
                    "strategy": strategy,
                    "backup_id": backup_id,
                    "store": self.store.grant(CONTAINER, self.prefix(backup_id), (READ,)).for_guest(),
                    "backup_key": self.keys[backup_id],
                    "label": self.prefix(backup_id),
                    "checksum": answer["checksum"],
                }
                for backup_id, answer in made.items()
            ],
        }

    @staticmethod
    def prefix(backup_id: str) -> str:
        return f"{PROJECT}/{backup_id}/"

    def files(self, backup_id: str) -> list[pathlib.Path]:
        """Of the segments, in order."""
        return sorted((self.directory / CONTAINER / PROJECT / backup_id).glob("*/*"))


@contextlib.contextmanager
def vault(directory: pathlib.Path, *, segment_size: int = 1, moods: Moods | None = None) -> Iterator[Vault]:
    """Served until the end of the block, as ``moods`` have it."""
    server = ObjectServer(Directory(directory), "127.0.0.1", 0)
    if moods is not None:
        server.RequestHandlerClass = moody(moods)
    server.start()
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[])
    conf.set_override("directory", str(directory), "object_store")
    conf.set_override("url", f"http://127.0.0.1:{server.server_port}", "object_store")
    try:
        yield Vault(FileStore(conf), directory, segment_size=segment_size)
    finally:
        server.shutdown()
        server.server_close()

# SPDX-License-Identifier: Apache-2.0
"""The file store: a directory of this machine, which dbflow-objects (or dbflow-standalone) serves to guests."""

import contextlib
import time
from collections.abc import Iterator
from urllib.parse import quote

from oslo_config import cfg

from dbflow.cloud import guard
from dbflow.objectstore.base import Grant, ObjectStore, StoreUnavailable
from dbflow.objectstore.directory import Directory
from dbflow.objectstore.signing import sign


class FileStore(ObjectStore):
    """For one machine, or several with a shared file system."""

    name = "file"

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.object_store
        self._directory = Directory(options.directory)
        host = f"[{options.bind_host}]" if ":" in options.bind_host else options.bind_host
        self._url = (options.url or f"http://{host}:{options.bind_port}").rstrip("/")
        self._lifetime = options.url_lifetime

    def make_container(self, container: str) -> None:
        """See the base class."""
        with _reachable():
            self._directory.container(container).mkdir(mode=0o700, parents=True, exist_ok=True)

    def grant(self, container: str, prefix: str, methods: tuple[str, ...]) -> Grant:
        """See the base class."""
        path = f"/{quote(container, safe='')}/{quote(prefix)}"
        expires = int(time.time()) + self._lifetime
        with _reachable():
            key = self._directory.key()
        return Grant(f"{self._url}{path}", {method: sign(key, method, path, expires) for method in methods})

    def read(self, container: str, name: str) -> bytes:
        """See the base class."""
        self.must_be_small(name, self.size(container, name) or 0)
        with _reachable():
            return self._directory.read(container, name)

    def size(self, container: str, name: str) -> int | None:
        """See the base class."""
        with _reachable():
            path = self._directory.file(container, name)
            return path.stat().st_size if path.is_file() else None

    def sizes(self, container: str, prefix: str) -> Iterator[tuple[str, int]]:
        """See the base class."""
        with _reachable():
            yield from self._directory.sizes(container, prefix)

    def delete(self, container: str, name: str) -> None:
        """See the base class."""
        guard.still_wanted()
        with _reachable():
            self._directory.delete(container, name)

    def base(self) -> str:
        """See the base class."""
        return self._url


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    """Whatever the file system says comes as an error of the store."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"The object store's directory can't be used: {error.strerror}.") from None

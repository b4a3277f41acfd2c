# SPDX-License-Identifier: Apache-2.0
"""What dbflow asks of an object store.

The control plane looks, lists and deletes; the data itself goes between guests and the store, by plain HTTP requests
to URLs that the control plane has signed. A guest holds no credential: it can read or write, for a time, the objects
whose names begin with one prefix.
"""

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from dbflow.cloud.base import CloudError, Unavailable

READ, WRITE = "GET", "PUT"
_LONGEST = 255
LARGEST_READ = 8 << 20
"""Bytes of an object that the control plane itself reads: guests write them, and its memory is not theirs."""


class StoreError(CloudError):
    """The object store refused or failed; ``str()`` is fit for a user to read."""


class StoreUnavailable(StoreError, Unavailable):
    """The object store did not answer; trying again may help."""


class TooLarge(StoreError):
    """It is larger than what the control plane reads."""


class NoSuchObject(StoreError):
    """It is not there."""


@dataclasses.dataclass(frozen=True)
class Grant:
    """The right to read or write the objects below one prefix."""

    url: str
    """An object's URL is this, its name after the prefix, ``?`` and a query."""
    queries: dict[str, str] = dataclasses.field(repr=False)
    """Method -> the query that is the right to it."""

    def for_guest(self) -> dict[str, Any]:
        """As a guest task takes it; the name says what must not be logged."""
        return {"url": self.url, "secrets": dict(self.queries)}


def must_be_container(name: str) -> None:
    """StoreError for a name that would lead out of the account."""
    # Quoted, as it is the name of a directory or part of a URL.
    if not name or name.startswith(".") or "/" in name or len(quote(name, safe="")) > _LONGEST:
        raise StoreError(f"{name[:80]!r} can't be the name of a container.")


def must_be_names(container: str, name: str) -> None:
    """StoreError for names that would lead out of the container, or out of the account."""
    must_be_container(container)
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise StoreError(f"{name[:80]!r} can't be the name of an object.")


class ObjectStore(abc.ABC):
    """A driver: entry point group ``dbflow.objectstores``, called with the configuration.

    Every method may be called again after a lost answer. Raises StoreUnavailable when the store does not answer,
    StoreError when it refuses.
    """

    name: str

    def of(self, project_id: str) -> "ObjectStore":
        """Where the containers of a project are: here, unless the store has an account for each project."""
        return self

    @abc.abstractmethod
    def make_container(self, container: str) -> None:
        """Fine when it is there."""

    @abc.abstractmethod
    def grant(self, container: str, prefix: str, methods: tuple[str, ...]) -> Grant:
        """Let the bearer do ``methods`` (READ, WRITE) with objects whose names begin with ``prefix``, which ends
        with a slash, for as long as ``[object_store] url_lifetime`` says."""

    @abc.abstractmethod
    def read(self, container: str, name: str) -> bytes:
        """A small object. NoSuchObject; TooLarge for one of more than LARGEST_READ bytes."""

    @staticmethod
    def must_be_small(name: str, size: int) -> None:
        """TooLarge for an object that is not read as a whole."""
        if size > LARGEST_READ:
            raise TooLarge(f"Object {name} is too large: {size} bytes; at most {LARGEST_READ} are read.")

    @abc.abstractmethod
    def size(self, container: str, name: str) -> int | None:
        """Bytes of an object; None when there is none."""

    @abc.abstractmethod
    def sizes(self, container: str, prefix: str) -> Iterator[tuple[str, int]]:
        """(name, bytes) of every object whose name begins with ``prefix``, by name; nothing where there is no such
        container. What was written a moment ago may not be among them yet."""

    @abc.abstractmethod
    def delete(self, container: str, name: str) -> None:
        """Fine when it is gone."""

    @abc.abstractmethod
    def base(self) -> str:
        """The URL above the containers, without a slash at its end. StoreUnavailable."""

    def location(self, container: str, name: str) -> str:
        """The object's URL, without any right to it."""
        return f"{self.base()}/{quote(container, safe='')}/{quote(name)}"

    def parse(self, location: str) -> tuple[str, str]:
        """(container, name) of a location of this store. StoreError when it is of another one."""
        base = f"{self.base()}/"
        container, _, name = location.removeprefix(base).partition("/")
        if not location.startswith(base) or not container or not name or "?" in location:
            raise StoreError(f"{location[:255]} is not an object of this object store.")
        must_be_names(unquote(container), unquote(name))
        return unquote(container), unquote(name)

# SPDX-License-Identifier: Apache-2.0
"""Swift, in an account of dbflow's own, or in those of the projects. Guests get temporary URLs for a prefix; the key
that signs them is of one container and follows from dbflow's own password, so every conductor knows it without asking
another."""

import base64
import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from keystoneauth1.exceptions import Unauthorized
from oslo_config import cfg
from requests import RequestException
from swiftclient import client
from swiftclient.utils import generate_temp_url
from urllib3.exceptions import HTTPError

from dbflow.cloud import guard
from dbflow.objectstore.base import (
    Grant,
    NoSuchObject,
    ObjectStore,
    StoreError,
    StoreUnavailable,
    must_be_container,
    must_be_names,
)

_TIMEOUT = 30.0
_PAGE = 10_000
_CHUNK = 1 << 16
_KEY, _OURS = "x-container-meta-temp-url-key", "x-container-meta-dbflow"
_LATER, _GONE = {401, 408, 409, 429, 498, 499}, {404, 410}
"""401: a token that was just given is refused when it was made within the second of a revocation; the next one not.
409: what is deleted was written by a proxy whose clock is ahead. 498: Swift's own for too many requests. 499: it takes
it that we went away."""
_ACCOUNTS = 256
"""Of projects, whose connections are kept; what is not used for longest goes first."""


class SwiftStore(ObjectStore):
    """As ``[object_store] swift_…`` says. Safe for threads: each has a connection of its own."""

    name = "swift"

    def __init__(self, conf: cfg.ConfigOpts, account: str | None = None) -> None:
        """``account``: of a project; dbflow's own when None."""
        self._conf, self._account = conf, account
        options = conf.object_store
        self._lifetime = options.url_lifetime
        self._password = options.swift_password or ""
        self._login: dict[str, Any] = {
            "authurl": options.swift_auth_url,
            "user": options.swift_username,
            "key": options.swift_password,
            "tenant_name": options.swift_project_name,
            "auth_version": options.swift_auth_version,
            "os_options": {
                "user_domain_name": options.swift_user_domain_name,
                "project_domain_name": options.swift_project_domain_name,
                "region_name": options.swift_region_name,
            },
            "timeout": _TIMEOUT,
            "retries": 1,
            "cacert": options.swift_cafile,
        }
        self._mine = threading.local()
        self._project = functools.lru_cache(maxsize=_ACCOUNTS)(functools.partial(SwiftStore, conf))

    def of(self, project_id: str) -> ObjectStore:
        """See the base class."""
        options = self._conf.object_store
        if options.swift_account == "service":
            return self
        return self._project(f"{options.swift_account_prefix}{project_id}")

    def make_container(self, container: str) -> None:
        """See the base class. Users choose the names: one that is there and not dbflow's is refused."""
        must_be_container(container)
        try:
            self._sign_with(container)
        except NoSuchObject:
            with self._connected() as connection:
                connection.put_container(container, {_OURS: "yes", _KEY: self._key_of(container)})

    def grant(self, container: str, prefix: str, methods: tuple[str, ...]) -> Grant:
        """See the base class."""
        key = self._sign_with(container)
        base = self.base()
        slash = base.index("/", len("https://"))
        # Signed is the path as it is, asked for the quoted one.
        path = f"{unquote(base[slash:])}/{container}/{prefix}"
        queries = {method: self._query(path, prefix, key, method) for method in methods}
        return Grant(f"{base[:slash]}{quote(path)}", queries)

    def _query(self, path: str, prefix: str, key: str, method: str) -> str:
        signed = generate_temp_url(path, self._lifetime, key, method, prefix=True, digest="sha256")
        signature = signed[len(path) + 1 :].removesuffix(prefix)
        return f"{signature}{quote(prefix, safe='')}"

    def read(self, container: str, name: str) -> bytes:
        """See the base class."""
        must_be_names(container, name)
        with self._connected() as connection:
            headers, body = connection.get_object(container, name, resp_chunk_size=_CHUNK)
            with contextlib.closing(body):
                self.must_be_small(name, int(headers["content-length"]))
                return b"".join(body)

    def size(self, container: str, name: str) -> int | None:
        """See the base class."""
        must_be_names(container, name)
        try:
            with self._connected() as connection:
                return int(connection.head_object(container, name)["content-length"])
        except NoSuchObject:
            return None

    def sizes(self, container: str, prefix: str) -> Iterator[tuple[str, int]]:
        """See the base class."""
        marker = ""
        while True:
            try:
                with self._connected() as connection:
                    found = _page(connection, container, prefix, marker)
            except NoSuchObject:
                return
            yield from ((entry["name"], entry["bytes"]) for entry in found)
            if not found:
                return
            marker = found[-1]["name"]

    def delete(self, container: str, name: str) -> None:
        """See the base class."""
        must_be_names(container, name)
        guard.still_wanted()
        with contextlib.suppress(NoSuchObject), self._connected() as connection:
            connection.delete_object(container, name)

    def base(self) -> str:
        """See the base class."""
        with self._connected() as connection:
            url, connection.token = connection.get_auth() if not connection.url else (connection.url, connection.token)
            connection.url = url
        return str(url).rstrip("/")

    def _sign_with(self, container: str) -> str:
        """The key of the container's temporary URLs; from now on it has it. NoSuchObject, StoreError."""
        key = self._key_of(container)
        with self._connected() as connection:
            known = connection.head_container(container)
            if known.get(_OURS) is None:
                raise StoreError(f"Container {container} is not dbflow's.")
            if known.get(_KEY) != key:
                connection.post_container(container, {_KEY: key})
        return key

    def _key_of(self, container: str) -> str:
        # Who owns an account can read the keys of its containers: none is good for another account's.
        where = container if self._account is None else f"{self._account}/{container}"
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"dbflow objects {where}".encode())
        return base64.urlsafe_b64encode(derive.derive(self._password.encode())).decode()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[client.Connection]:
        """A connection of this thread; what goes wrong comes as an error of the store."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = _Connection(**self._login)
        try:
            self._go_to_account(self._mine.connection)
            yield self._mine.connection
        except client.ClientException as error:
            raise _meaning(error) from None
        except (RequestException, HTTPError, OSError) as error:
            # Bodies are read past requests: one that breaks off is urllib3's error.
            raise StoreUnavailable(f"The object store does not answer ({type(error).__name__}).") from None

    def _go_to_account(self, connection: client.Connection) -> None:
        """Swift's catalog names the account of who asks; a connection that logs in again keeps to what it is told."""
        if self._account is None or "object_storage_url" in connection.os_options:
            return
        mine, connection.token = connection.get_auth()
        connection.url = f"{str(mine).rstrip('/').rpartition('/')[0]}/{quote(self._account)}"
        connection.os_options["object_storage_url"] = connection.url


class _Connection(client.Connection):
    """Tells a login that is refused from a token that is."""

    def get_auth(self) -> tuple[str, str]:
        try:
            url, token = super().get_auth()
        except client.ClientException as error:
            # Where Keystone refuses, the client's own exception has no status.
            if error.http_status in {401, 403} or isinstance(error.__context__, Unauthorized):
                raise StoreError("The object store does not accept dbflow's login.") from None
            raise
        return url, token


def _page(connection: client.Connection, container: str, prefix: str, marker: str) -> list[dict[str, Any]]:
    """Of a listing, what comes after ``marker``."""
    try:
        found: list[dict[str, Any]] = connection.get_container(container, prefix=prefix, marker=marker, limit=_PAGE)[1]
    except ValueError:  # a proxy's page, or a body whose end nobody missed
        raise StoreUnavailable("The object store does not answer (no listing).") from None
    return found


def _meaning(error: client.ClientException) -> StoreError:
    """The exception's own words may hold URLs and tokens."""
    status = error.http_status or 0
    if status in _GONE:
        return NoSuchObject("It is not in the object store.")
    if status == 0 or status >= 500 or status in _LATER:
        return StoreUnavailable(f"The object store does not answer ({status or 'no connection'}).")
    return StoreError(f"The object store refuses ({status}).")

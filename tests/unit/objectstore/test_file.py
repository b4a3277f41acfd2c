# SPDX-License-Identifier: Apache-2.0
"""The file store: what its URLs allow, and that an object is there whole or not at all."""

import hashlib
import pathlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from dbflow.objectstore import server
from dbflow.objectstore.base import READ, WRITE, NoSuchObject, StoreError
from dbflow.objectstore.directory import Directory
from guest.streams.store import Missing, Store, StoreFailed
from tests.objects.vault import CONTAINER, Vault, vault
from tests.waiting import wait_for


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[Vault]:
    with vault(tmp_path / "objects") as made:
        yield made


def url(store: Vault, method: str, name: str, prefix: str = "p1/b1/", right: str | None = None) -> str:
    grant = store.store.grant(CONTAINER, prefix, (READ, WRITE))
    return f"{grant.url}{name}?{grant.queries[right or method]}"


def test_write_look_read(store: Vault) -> None:
    data = b"x" * 3_000_000
    assert requests.put(url(store, "PUT", "s/0"), data=data, timeout=10).status_code == 201
    assert requests.get(url(store, "GET", "s/0"), timeout=10).content == data
    looked = requests.head(url(store, "GET", "s/0"), timeout=10)
    assert (looked.status_code, looked.headers["Content-Length"]) == (200, "3000000")
    assert list(store.store.sizes(CONTAINER, "p1/b1/")) == [("p1/b1/s/0", 3_000_000)]
    assert store.store.read(CONTAINER, "p1/b1/s/0") == data
    store.store.delete(CONTAINER, "p1/b1/s/0")
    store.store.delete(CONTAINER, "p1/b1/s/0")
    assert list(store.store.sizes(CONTAINER, "")) == []
    assert requests.get(url(store, "GET", "s/0"), timeout=10).status_code == 404
    with pytest.raises(NoSuchObject):
        store.store.read(CONTAINER, "p1/b1/s/0")


def test_a_right_is_for_one_method_prefix_and_time(store: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    assert requests.put(url(store, "PUT", "s/0", right="GET"), data=b"x", timeout=10).status_code == 403
    assert requests.get(url(store, "GET", "s/0", right="PUT"), timeout=10).status_code == 403
    assert requests.get(url(store, "GET", "../b2/s/0"), timeout=10).status_code in {403, 404}
    grant = store.store.grant(CONTAINER, "p1/b1/", (READ,))
    other = grant.url.replace("b1", "b2")
    assert requests.get(f"{other}s/0?{grant.queries['GET']}", timeout=10).status_code == 403
    widened = grant.queries["GET"].replace("p1%2Fb1%2F", "")
    assert requests.get(f"{grant.url}s/0?{widened}", timeout=10).status_code == 403
    later = grant.queries["GET"].replace("expires=", "expires=9")
    assert requests.get(f"{grant.url}s/0?{later}", timeout=10).status_code == 403
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert requests.get(f"{grant.url}s/0?{grant.queries['GET']}", timeout=10).status_code == 403


@pytest.mark.parametrize("name", ["../../../.key", "%2e%2e/x", "..%2f..%2f.key", "a//b", "", "."])
def test_no_way_out_of_the_prefix(store: Vault, name: str) -> None:
    """Whatever a client does to the path: Requests would mend it."""
    grant = store.store.grant(CONTAINER, "p1/b1/", (READ,))
    host, path = grant.url.removeprefix("http://").split("/", 1)
    with socket.create_connection((host.split(":")[0], int(host.split(":")[1]))) as connection:
        connection.sendall(f"GET /{path}{name}?{grant.queries['GET']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = connection.recv(1000)
    assert answer.split()[1] in {b"403", b"404"}


def test_half_an_object_is_none(store: Vault) -> None:
    grant = store.store.grant(CONTAINER, "p1/b1/", (WRITE,))
    host, path = grant.url.removeprefix("http://").split("/", 1)
    with socket.create_connection((host.split(":")[0], int(host.split(":")[1]))) as connection:
        head = f"PUT /{path}s/0?{grant.queries['PUT']} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b"x" * 500)
    parts = store.directory / ".parts"
    wait_for(lambda: parts.is_dir() and not list(parts.iterdir()), 10, "the part to go")
    assert list(store.store.sizes(CONTAINER, "")) == []


def test_what_comes_damaged_is_refused(store: Vault) -> None:
    wrong = {"ETag": hashlib.md5(b"y").hexdigest()}
    assert requests.put(url(store, "PUT", "s/0"), data=b"x", headers=wrong, timeout=10).status_code == 422
    assert list(store.store.sizes(CONTAINER, "")) == []


def test_bodies_must_say_their_length(store: Vault) -> None:
    assert requests.put(url(store, "PUT", "s/0"), data=iter([b"x"]), timeout=10).status_code == 411


def test_locations(store: Vault) -> None:
    location = store.store.location("a b", "p1/ü/manifest.json")
    assert store.store.parse(location) == ("a b", "p1/ü/manifest.json")
    for foreign in ("http://127.0.0.1:1/a/b", "file:///etc/passwd", f"{location}?x", "nonsense"):
        with pytest.raises(StoreError):
            store.store.parse(foreign)


@pytest.mark.parametrize("name", ["", ".", "..", ".key", "a/b"])
def test_names_that_no_container_has(tmp_path: pathlib.Path, name: str) -> None:
    with pytest.raises(StoreError):
        Directory(tmp_path).container(name)


def test_two_make_one_key(tmp_path: pathlib.Path) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(Directory(tmp_path / "o").key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert (tmp_path / "o" / ".key").stat().st_mode & 0o077 == 0


def test_a_guests_client(store: Vault) -> None:
    client = Store(store.store.grant(CONTAINER, "p1/b1/", (READ, WRITE)).for_guest(), patience=5.0)
    client.put("s/0", memoryview(b"some bytes"))
    assert client.get("s/0") == b"some bytes"
    with pytest.raises(Missing):
        client.get("s/1")
    reading = Store(store.store.grant(CONTAINER, "p1/b1/", (READ,)).for_guest(), patience=5.0)
    reading._queries["PUT"] = reading._queries["GET"]
    with pytest.raises(StoreFailed, match="403"):
        reading.put("s/0", b"x")


def test_no_more_connections_than_there_are_seats(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Whoever comes then tries again, as guests do; nobody is served worse for long."""
    monkeypatch.setattr(server, "MOST", 2)
    with vault(tmp_path / "small") as small:
        location = urlsplit(small.store.location(CONTAINER, "a"))
        where = (location.hostname, location.port)
        held = [socket.create_connection(where) for _ in range(2)]
        wait_for(lambda: refused(where), 10, "all seats to be taken")
        for one in held:
            one.close()
        Store(small.store.grant(CONTAINER, "p1/b1/", (WRITE,)).for_guest(), patience=10.0).put("s/0", b"x")


def refused(where: tuple[str | None, int | None]) -> bool:
    """Whether a connection is closed at once."""
    with socket.create_connection(where, timeout=0.5) as one:
        try:
            return one.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

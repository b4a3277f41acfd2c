# SPDX-License-Identifier: Apache-2.0
"""Both object stores, as the control plane and the guests use them: Swift is Debian's."""

import pathlib
from collections.abc import Iterator

import pytest
import requests
from swiftclient import client

from dbflow.objectstore import base
from dbflow.objectstore.base import READ, WRITE, NoSuchObject, ObjectStore, StoreError, StoreUnavailable
from guest.streams.store import Missing, Store, StoreFailed
from tests.objects.front import HALF, LOOKS, SHORT, Front
from tests.objects.moody import Moods
from tests.objects.swift import of_swift
from tests.objects.vault import vault
from tests.servers import Swift

PREFIX = "p1/b1/"


@pytest.fixture(params=["file", "swift", "swift, accounts of projects"])
def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[ObjectStore]:
    if request.param != "file":
        account = "service" if request.param == "swift" else "project"
        made = of_swift(request.getfixturevalue("swift").login, swift_account=account).of("p1")
        made.make_container("c")
        yield made
        for name, _ in made.sizes("c", ""):
            made.delete("c", name)
        return
    with vault(tmp_path) as held:
        held.store.make_container("c")
        yield held.store


def test_what_a_guest_writes(store: ObjectStore) -> None:
    store.make_container("c")
    guest = Store(store.grant("c", PREFIX, (READ, WRITE)).for_guest(), 5.0)
    data = {f"s/{number:08d}": bytes([number]) * (number + 1) * 1000 for number in range(3)}
    for name, content in data.items():
        guest.put(name, memoryview(content))
    assert {name: guest.get(name) for name in data} == data
    assert dict(store.sizes("c", PREFIX)) == {f"{PREFIX}{name}": len(content) for name, content in data.items()}
    assert store.size("c", f"{PREFIX}s/00000002") == 3000
    assert store.read("c", f"{PREFIX}s/00000000") == data["s/00000000"]
    for name in data:
        store.delete("c", f"{PREFIX}{name}")
        store.delete("c", f"{PREFIX}{name}")
    assert list(store.sizes("c", PREFIX)) == []
    assert store.size("c", f"{PREFIX}s/00000000") is None
    with pytest.raises(Missing):
        guest.get("s/00000000")
    with pytest.raises(NoSuchObject):
        store.read("c", f"{PREFIX}s/00000000")


def test_a_right_is_for_one_method_and_prefix(store: ObjectStore) -> None:
    reading = store.grant("c", PREFIX, (READ,)).for_guest()
    reading["secrets"]["PUT"] = reading["secrets"]["GET"]
    with pytest.raises(StoreFailed, match="refuses"):
        Store(reading, 5.0).put("s/0", b"x")
    writing = store.grant("c", PREFIX, (WRITE,)).for_guest()
    with pytest.raises(StoreFailed, match="refuses"):
        Store({**writing, "url": writing["url"].replace("b1", "b2")}, 5.0).put("s/0", b"x")
    url = store.grant("c", PREFIX, (WRITE,))
    assert requests.delete(f"{url.url}s/0?{url.queries['PUT']}", timeout=10).status_code in {401, 403, 501}
    assert requests.get(f"{url.url}?{url.queries['PUT']}", timeout=10).status_code in {401, 403}


@pytest.mark.parametrize("container", ["a b", "a%b", "a?b", "ü"])
def test_containers_with_names_that_users_choose(store: ObjectStore, container: str) -> None:
    store.make_container(container)
    guest = Store(store.grant(container, PREFIX, (READ, WRITE)).for_guest(), 5.0)
    guest.put("s/0", b"x")
    assert guest.get("s/0") == store.read(container, f"{PREFIX}s/0") == b"x"
    assert store.parse(store.location(container, f"{PREFIX}s/0")) == (container, f"{PREFIX}s/0")
    store.delete(container, f"{PREFIX}s/0")


def test_what_is_large_is_not_read(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guests write; the control plane does not take whatever they wrote into its memory."""
    guest = Store(store.grant("c", PREFIX, (WRITE,)).for_guest(), 5.0)
    guest.put("s/0", b"x" * 1001)
    monkeypatch.setattr(base, "LARGEST_READ", 1001)
    assert len(store.read("c", f"{PREFIX}s/0")) == 1001
    monkeypatch.setattr(base, "LARGEST_READ", 1000)
    with pytest.raises(StoreError, match="too large: 1001 bytes"):
        store.read("c", f"{PREFIX}s/0")
    # Whatever was not read is in nobody's way.
    assert store.size("c", f"{PREFIX}s/0") == 1001


def test_what_comes_damaged_is_refused(store: ObjectStore) -> None:
    grant = store.grant("c", PREFIX, (WRITE,))
    answer = requests.put(f"{grant.url}s/0?{grant.queries['PUT']}", data=b"x", headers={"ETag": "0" * 32}, timeout=10)
    assert answer.status_code == 422
    assert list(store.sizes("c", PREFIX)) == []


def test_locations(store: ObjectStore) -> None:
    location = store.location("c", f"{PREFIX}ü/manifest.json")
    assert store.parse(location) == ("c", f"{PREFIX}ü/manifest.json")
    for foreign in ("http://127.0.0.1:1/a/b", f"{location}?x", "nonsense"):
        with pytest.raises(StoreError):
            store.parse(foreign)


def test_a_container_that_is_not_there(store: ObjectStore) -> None:
    assert list(store.sizes("nothing", "")) == []
    store.delete("nothing", "a/b")
    with pytest.raises(NoSuchObject):
        store.read("nothing", "a/b")


def test_accounts_of_projects_are_apart(swift: Swift) -> None:
    whole = of_swift(swift.login, swift_account="project")
    first, second = whole.of("p1"), whole.of("p2")
    for store in (first, second):
        store.make_container("apart")
    grants = [store.grant("apart", PREFIX, (READ, WRITE)).for_guest() for store in (first, second)]
    Store(grants[0], 5.0).put("s/0", b"mine")
    assert second.size("apart", f"{PREFIX}s/0") is None
    assert of_swift(swift.login).size("apart", f"{PREFIX}s/0") is None
    with pytest.raises(StoreError, match="not an object of this object store"):
        second.parse(first.location("apart", f"{PREFIX}s/0"))
    # Who owns the second account knows its key, which must not open the first.
    with pytest.raises(StoreFailed, match="refuses"):
        Store({**grants[1], "url": grants[0]["url"]}, 5.0).get("s/0")
    first.delete("apart", f"{PREFIX}s/0")


def test_a_store_that_is_away(swift: Swift) -> None:
    gone = of_swift(swift.login, swift_auth_url="http://127.0.0.1:9/auth/v1.0")
    with pytest.raises(StoreUnavailable):
        gone.make_container("c")


def test_a_container_of_others(swift: Swift) -> None:
    """Users choose the names; what is in the account beside dbflow's stays as it is."""
    connection = client.Connection(swift.auth_url, swift.login["swift_username"], swift.password)
    connection.put_container("images", {"x-container-meta-temp-url-key": "theirs"})
    store = of_swift(swift.login)
    for attempt in (lambda: store.make_container("images"), lambda: store.grant("images", PREFIX, (WRITE,))):
        with pytest.raises(StoreError, match="Container images is not dbflow's"):
            attempt()
    assert connection.head_container("images")["x-container-meta-temp-url-key"] == "theirs"


def test_no_way_out_of_the_account(swift: Swift) -> None:
    store = of_swift(swift.login)
    location = store.location("c", "p1/b1/manifest.json")
    for other in (
        location.replace("/c/", "/..%2FAUTH_other%2Fc/"),
        location.replace("/b1/", "/%2E%2E/"),
        f"{location}/..",
    ):
        with pytest.raises(StoreError):
            store.parse(other)
    for container, name in (("../AUTH_other/c", "a"), ("c", "../d/a"), ("c", "a//b"), (".", "a")):
        for ask in (store.read, store.size, store.delete):
            with pytest.raises(StoreError, match="can't be the name"):
                ask(container, name)


def test_a_wrong_password(swift: Swift) -> None:
    wrong = of_swift(swift.login, swift_password="wrong")
    with pytest.raises(StoreError, match="does not accept dbflow's login") as refused:
        wrong.make_container("c")
    assert not isinstance(refused.value, StoreUnavailable)


@pytest.mark.parametrize("status", [401, 409, 498, 499])
def test_refusals_of_swift_that_pass(swift: Swift, status: int) -> None:
    """A token made within the second of a revocation, a proxy whose clock is behind, too many requests; the client asks
    once more by itself."""
    with Front(swift.port) as front:
        store = of_swift(swift.login, swift_auth_url=front.auth_url)
        store.make_container("c")
        front.moods["DELETE"] = Moods([status, status])
        with pytest.raises(StoreUnavailable, match=str(status)):
            store.delete("c", f"{PREFIX}s/0")
        front.forget()
        store.delete("c", f"{PREFIX}s/0")


def test_answers_that_break_off(swift: Swift) -> None:
    """As when a proxy is started anew; a client that reads an object asks once more by itself."""
    with Front(swift.port) as front:
        store = of_swift(swift.login, swift_auth_url=front.auth_url)
        store.make_container("c")
        Store(store.grant("c", PREFIX, (WRITE,)).for_guest(), 5.0).put("s/0", b"x" * 1000)
        for mood in (HALF, SHORT):
            front.moods[LOOKS] = Moods([mood])
            with pytest.raises(StoreUnavailable):
                list(store.sizes("c", PREFIX))
            assert list(store.sizes("c", PREFIX)) == [(f"{PREFIX}s/0", 1000)]
        front.moods[LOOKS] = Moods([HALF, HALF])
        with pytest.raises(StoreUnavailable):
            store.read("c", f"{PREFIX}s/0")
        assert store.read("c", f"{PREFIX}s/0") == b"x" * 1000
        store.delete("c", f"{PREFIX}s/0")


def test_every_process_signs_with_the_same_key(swift: Swift) -> None:
    """Each of a conductor of its own."""
    of_swift(swift.login).make_container("shared")
    first, second = (of_swift(swift.login).grant("shared", PREFIX, (WRITE,)).for_guest() for _ in range(2))
    for grant in (first, second):
        Store(grant, 5.0).put("s/0", b"x")

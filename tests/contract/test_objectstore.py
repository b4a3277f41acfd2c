# SPDX-License-Identifier: Apache-2.0
"""Both object stores, as the control plane and the guests use them: Swift is Debian's."""

import pathlib
from collections.abc import Iterator

import pytest
import requests
from oslo_config import cfg

from dbflow import conf as options
from dbflow import objectstore
from dbflow.objectstore.base import READ, WRITE, NoSuchObject, ObjectStore, StoreError, StoreUnavailable
from guest.streams.store import Missing, Store, StoreFailed
from tests.objects.vault import vault
from tests.servers import Swift

PREFIX = "p1/b1/"


def of_swift(swift: Swift, **more: object) -> ObjectStore:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[])
    for name, value in {**swift.login, **more}.items():
        conf.set_override(name, value, "object_store")
    return objectstore.load(conf)


@pytest.fixture(params=["file", "swift"])
def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[ObjectStore]:
    if request.param == "swift":
        made = of_swift(request.getfixturevalue("swift"))
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
        Store(reading, 1.0).put("s/0", b"x")
    writing = store.grant("c", PREFIX, (WRITE,)).for_guest()
    with pytest.raises(StoreFailed, match="refuses"):
        Store({**writing, "url": writing["url"].replace("b1", "b2")}, 1.0).put("s/0", b"x")
    url = store.grant("c", PREFIX, (WRITE,))
    assert requests.delete(f"{url.url}s/0?{url.queries['PUT']}", timeout=10).status_code in {401, 403, 501}
    assert requests.get(f"{url.url}?{url.queries['PUT']}", timeout=10).status_code in {401, 403}


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


def test_a_store_that_is_away(swift: Swift) -> None:
    gone = of_swift(swift, swift_auth_url="http://127.0.0.1:9/auth/v1.0")
    with pytest.raises(StoreUnavailable):
        gone.make_container("c")


def test_a_wrong_password(swift: Swift) -> None:
    wrong = of_swift(swift, swift_password="wrong")
    with pytest.raises(StoreError, match="refuses"):
        wrong.make_container("c")


def test_every_process_signs_with_the_same_key(swift: Swift) -> None:
    """Each of a conductor of its own."""
    of_swift(swift).make_container("shared")
    first, second = (of_swift(swift).grant("shared", PREFIX, (WRITE,)).for_guest() for _ in range(2))
    for grant in (first, second):
        Store(grant, 1.0).put("s/0", b"x")

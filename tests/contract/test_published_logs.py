# SPDX-License-Identifier: Apache-2.0
"""What guests publish of a log, as Trove's client reads it from Swift for `log save` and `log tail`."""

import types
from collections.abc import Iterator
from typing import Any

import pytest
import swiftclient
from troveclient.v1.instances import Instances

from dbflow.objectstore.base import WRITE, ObjectStore
from guest.datastores.base import Log, Logs, LogStatus, LogType, Send
from guest.tasks.logs import PublishLog
from tests.objects.swift import of_swift
from tests.servers import Swift

CONTAINER, INSTANCE = "database_logs", "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"
PARTS = [b"".join(b"part %d line %d\n" % (part, line) for line in range(10)) for part in range(3)]


class ThreeParts(Logs):
    """A log that is published in three objects."""

    def every(self) -> list[Log]:
        raise NotImplementedError

    def one(self, name: str) -> Log:
        return Log(name, LogType.USER, LogStatus.PUBLISHED, sum(map(len, PARTS)), 0)

    def publish(self, name: str, send: Send) -> None:
        for number, part in enumerate(PARTS):
            send(f"log-000000-{number:015d}", part, part.count(b"\n"))

    enable = disable = discard = bound = one  # type: ignore[assignment]


@pytest.fixture
def store(swift: Swift) -> Iterator[ObjectStore]:
    made = of_swift(swift.login)
    made.make_container(CONTAINER)
    yield made
    for name, _ in made.sizes(CONTAINER, ""):
        made.delete(CONTAINER, name)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Instances:
    """Trove's, which is told where the log is."""
    made = Instances(None)
    below = f"{INSTANCE}/mariadb-general"
    shown = types.SimpleNamespace(container=CONTAINER, prefix=f"{below}/", metafile=f"{below}_metafile")
    monkeypatch.setattr(made, "log_show", lambda instance, name: shown)
    return made


def test_save_and_tail(swift: Swift, store: ObjectStore, client: Any) -> None:
    task = PublishLog("publish")
    task.bind(types.SimpleNamespace(logs=ThreeParts()))  # type: ignore[arg-type]
    grant = store.grant(CONTAINER, f"{INSTANCE}/", (WRITE,)).for_guest()
    told = task.execute(INSTANCE, "general", grant, "mariadb-general", {"X-Delete-After": "3600"})
    assert (told["published"], told["status"]) == (sum(map(len, PARTS)), "Published")

    login = swift.login
    connection = swiftclient.Connection(login["swift_auth_url"], login["swift_username"], login["swift_password"])
    whole = "".join(client.log_generator(INSTANCE, "general", lines=0, swift=connection)())
    assert whole.encode() == b"".join(PARTS)
    tail = "".join(client.log_generator(INSTANCE, "general", lines=15, swift=connection)())
    assert tail.encode() == b"".join(PARTS)[-len(tail) :]
    assert tail.count("\n") == 15
    headers = connection.head_object(CONTAINER, f"{INSTANCE}/mariadb-general/log-000000-{2:015d}")
    assert (headers["x-object-meta-lines"], "x-delete-at" in headers) == ("10", True)
    assert b'"log_name": "general"' in store.read(CONTAINER, f"{INSTANCE}/mariadb-general_metafile")
    connection.close()

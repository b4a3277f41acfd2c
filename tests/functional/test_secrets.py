# SPDX-License-Identifier: Apache-2.0
"""No password is readable anywhere: not at rest, not in a log, not in a command line, not in a queue."""

import base64
import configparser
import contextlib
import pathlib
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from dbflow.crypto import broker_password
from dbflow.db.session import Database
from dbflow.messaging.connection import connection, user_of
from tests.functional.stack import RealStack, Stack, mysql, new_password
from tests.functional.stack.client import PASSWORDS
from tests.functional.stack.inventory import files
from tests.waiting import wait_for

_CHUNK = 1 << 20


@contextlib.contextmanager
def _watched(secrets: set[bytes]) -> Iterator[set[str]]:
    """Look at the command line and environment of every process of this machine all the time."""
    seen, stop, rounds = set[str](), threading.Event(), [0]

    def look() -> None:
        while not stop.is_set():
            for directory in pathlib.Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        text = (directory / name).read_bytes()
                        if any(secret in text for secret in list(secrets)):
                            seen.add(f"{directory}/{name}: {text[:80]!r}")
            rounds[0] += 1
            stop.wait(0.01)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
        wait_for(lambda: rounds[0] > 1, 60, "two looks at all processes")
    finally:
        stop.set()
        thread.join()


def _files_with(secrets: set[bytes], directory: pathlib.Path, overlap: int = 256) -> dict[str, list[bytes]]:
    """File -> what it holds of the secrets."""
    found: dict[str, list[bytes]] = {}
    for path in files(directory):
        if path.is_file() and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                before = b""
                while chunk := file.read(_CHUNK):
                    hits = [secret for secret in secrets if secret in before + chunk]
                    if hits:
                        found.setdefault(str(path), []).extend(hits)
                    before = chunk[-overlap:]
    return found


def _dump(database: Database) -> bytes:
    """All of dbflow's tables as text."""
    with contextlib.closing(database), database.engine.connect() as connection:
        names = [
            name
            for (name,) in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                if database.engine.dialect.name == "sqlite"
                else "SHOW TABLES"
            )
        ]
        rows = [repr(tuple(row)) for name in names for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
    assert len(rows) > 10
    return "\n".join(rows).encode()


def _spellings(secrets: set[str]) -> set[bytes]:
    """As they are, and as JSON, URLs and reprs write them."""
    plain = {text.encode() for text in secrets}
    escaped = {text.encode("unicode_escape") for text in secrets}
    quoted = {urllib.parse.quote(text, safe="").encode() for text in secrets}
    return plain | escaped | quoted


def test_the_search_finds(tmp_path: pathlib.Path) -> None:
    """What is looked for would be found: across chunks, and in each spelling."""
    secret = "pw-ünïque"
    (tmp_path / "file").write_bytes(b"x" * (_CHUNK - 4) + secret.encode() + b"x")
    (tmp_path / "json").write_text('"pw-\\xfcn\\xefque"')
    found = _files_with(_spellings({secret}), tmp_path)
    assert {pathlib.Path(name).name for name in found} == {"file", "json"}
    with _watched({b"PATH="}) as seen:
        pass
    assert seen


class Spy:
    """Copies of every message to and from one instance, and of every other answer and heartbeat meanwhile."""

    def __init__(self, stack: RealStack) -> None:
        self._rabbitmq, self._name = stack.rabbitmq, "spy"
        self._rabbitmq.api("PUT", f"queues/%2F/{self._name}", {"durable": True})
        for bound in self._rabbitmq.api("GET", "exchanges/%2F/dbflow.up/bindings/source"):
            self._bind("dbflow.up", bound["routing_key"])

    def _bind(self, exchange: str, key: str) -> None:
        self._rabbitmq.api("POST", f"bindings/%2F/e/{exchange}/q/{self._name}", {"routing_key": key})

    def watch(self, instance_id: str) -> None:
        """What it is asked, too."""
        self._bind("dbflow.down", instance_id)

    def messages(self) -> list[dict[str, Any]]:
        """All there were, as RabbitMQ has them; the queue goes."""
        wanted = {"count": 100_000, "ackmode": "ack_requeue_true", "encoding": "base64"}
        got: list[dict[str, Any]] = self._rabbitmq.api("POST", f"queues/%2F/{self._name}/get", wanted)
        self._rabbitmq.api("DELETE", f"queues/%2F/{self._name}")
        return got


def _told(message: dict[str, Any]) -> bytes:
    """A message with its properties."""
    return base64.b64decode(message["payload"]) + repr(message).encode()


def _board(stack: RealStack) -> bytes:
    """All that ZooKeeper holds."""
    client = KazooClient(stack.zookeeper.hosts)
    client.start()

    def below(path: str) -> Iterator[bytes]:
        with contextlib.suppress(NoNodeError):  # gone meanwhile
            data, _ = client.get(path)
            yield path.encode() + b" " + (data or b"")
            for child in client.get_children(path):
                yield from below(f"{path.rstrip('/')}/{child}")

    try:
        return b"\n".join(below("/dbflow"))
    finally:
        client.stop()
        client.close()


def test_no_password_is_readable(stack: Stack) -> None:
    client = stack.client()
    first, changed, added, odd = new_password(), new_password(), new_password(), new_password("'\"\\ü%")
    own = {first, changed, added, odd}
    secrets = {text.encode() for text in own}
    spy = Spy(stack) if isinstance(stack, RealStack) else None
    boards = []
    with stack.nothing_left(), _watched(secrets) as seen:
        databases = [{"name": "d"}]
        users = [
            {"name": "a", "password": first, "databases": databases},
            {"name": "o", "password": odd, "databases": databases},
        ]
        with stack.faults.holding("create-server.execute.called") as held:
            instance_id, create = client.create("discreet", databases=databases, users=users)
            held.reached()
            if spy and isinstance(stack, RealStack):
                spy.watch(instance_id)
                boards.append(_board(stack))
        client.wait_operation(create)
        instance = client.wait_status(instance_id, "ACTIVE")
        keys = _keys(stack, instance_id)
        secrets |= keys
        path = f"/instances/{instance_id}"
        client.ask("PUT", f"{path}/users", {"users": [{"name": "a", "password": changed}]}, status=202)
        client.ask("POST", f"{path}/users", {"users": [{"name": "b", "password": added}]}, status=202)
        client.ask("POST", f"{path}/users", {"users": [{"name": "b", "password": added}]}, status=400)
        root = client.ask("POST", f"{path}/root")["user"]["password"]
        secrets.add(root.encode())
        mysql(instance, "a", changed).close()
        mysql(instance, "root", root).close()
        # One that is cancelled and undone tells of it without its secrets.
        with stack.faults.holding("create-server.execute.returned") as held:
            doomed, create = client.create("doomed", databases=databases, users=users)
            held.reached()
            client.do(create, "cancel")
            stack.wait_stopping(create)
        client.wait_operation(create, "REVERTED")
        # And one whose guest fails.
        stack.faults.arm("guest.create-users.execute.after", "raise")
        failed, create = client.create("failed", databases=databases, users=users)
        client.wait_operation(create, "REVERTED")
        client.wait_operation(client.act(instance_id, {"restart": {}}))

        passwords = _spellings(PASSWORDS | {root})
        assert _files_with(passwords, stack.directory) == {}
        config = (stack.cloud / "servers" / instance_id).resolve() / "config"
        assert set(_files_with(keys, stack.directory)) == {str(config / "message.key"), str(config / "guest.conf")}
        dumped = _dump(stack.database())
        assert [secret for secret in passwords | keys if secret in dumped] == []
        if spy and isinstance(stack, RealStack):
            _discreet(instance_id, passwords | keys, spy.messages(), [*boards, _board(stack)])
        client.deleted(instance_id, doomed, failed)
    assert seen == set()


def _discreet(instance_id: str, secrets: set[bytes], messages: list[dict[str, Any]], boards: list[bytes]) -> None:
    """Neither messages nor boards, of which the first was read while a create was held, hold any secret."""
    told = [_told(message) for message in messages]
    assert len([one for one in told if instance_id.encode() in one]) > 10
    assert b"/board/jobs/" in boards[0]
    assert instance_id.encode() not in boards[0]
    assert [secret for secret in secrets for one in [*told, *boards] if secret in one] == []


def _keys(stack: Stack, instance_id: str) -> set[bytes]:
    """What seals the instance's messages, in each spelling, and its password at the broker."""
    text = (stack.cloud / "servers" / instance_id / "config" / "message.key").read_text().strip()
    key = base64.urlsafe_b64decode(text)
    return {
        text.encode(),
        base64.b64encode(key),
        key,
        key.hex().encode(),
        broker_password(key).encode(),
    }


def test_a_guest_is_told_what_is_its_own(stack: Stack) -> None:
    """And nothing by which a root shell on it would reach the board, SQL, other guests or the whole broker."""
    client = stack.client()
    with stack.nothing_left():
        instance_id, other = client.created("one")["id"], client.created("other")["id"]
        config = stack.cloud / "servers" / instance_id / "config"
        assert {path.name for path in config.iterdir()} == {"guest.conf", "machine.conf", "message.key"}
        told = configparser.ConfigParser(interpolation=None)
        told.read(config / "guest.conf")
        assert {section: set(told[section]) for section in told.sections()} == {
            "guest": {"instance_id", "manager"},
            "messaging": {"url", "exchange", "heartbeat_interval", "beat_interval"},
        }
        assert user_of(told["messaging"]["url"]) == f"guest-{instance_id}"
        agent = stack.agent(instance_id)
        assert agent is not None
        texts = [path.read_text() for path in config.iterdir()] + [repr(agent.environ()), repr(agent.cmdline())]
        foreign = [other, *_of_the_control_plane(stack), *(one.decode("latin-1") for one in _keys(stack, other))]
        assert [name for name in foreign for text in texts if name in text] == []
        client.deleted(instance_id, other)


def _of_the_control_plane(stack: Stack) -> list[str]:
    """Addresses, paths and passwords that are no guest's business."""
    if isinstance(stack, RealStack):
        return [
            stack.zookeeper.hosts,
            stack.rabbitmq.password,
            stack.rabbitmq.management_url.rpartition("@")[2],
            stack.mariadb.password,
            str(stack.directory / "keys"),
            str(stack.conf),
        ]
    conf = configparser.ConfigParser(interpolation=None)
    state = stack.cloud.parent
    conf.read(state / "dbflow.conf")
    return [
        str(connection(conf["messaging"]["url"].replace("$$", "$")).password),
        *(str(state / name) for name in ("keys", "tokens.json", "dbflow.sqlite", "dbflow.conf")),
    ]


def test_service_passwords_stay_in_their_files(real_stack: RealStack) -> None:
    """Those of RabbitMQ and of dbflow's own database."""
    passwords = {real_stack.rabbitmq.password.encode(), real_stack.mariadb.password.encode()}
    found = {pathlib.Path(name).name for name in _files_with(passwords, real_stack.directory)}
    assert found <= {"dbflow.conf", "rabbitmq.conf", "init.sql"}
    with _watched(passwords) as seen:
        real_stack.client().ask("GET", "/instances")
    assert seen == set()

# SPDX-License-Identifier: Apache-2.0
"""No password is readable anywhere: not at rest, not in a log, not in a command line, not in a queue."""

import contextlib
import pathlib
import threading
import urllib.parse
from collections.abc import Iterator

from dbflow.db.session import Database
from tests.functional.stack import RealStack, Stack, mysql, new_password
from tests.functional.stack.client import PASSWORDS
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
    for path in directory.rglob("*"):
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


def test_no_password_is_readable(stack: Stack) -> None:
    client = stack.client()
    first, changed, added, odd = new_password(), new_password(), new_password(), new_password("'\"\\ü%")
    own = {first, changed, added, odd}
    secrets = {text.encode() for text in own}
    with stack.nothing_left(), _watched(secrets) as seen:
        databases = [{"name": "d"}]
        users = [
            {"name": "a", "password": first, "databases": databases},
            {"name": "o", "password": odd, "databases": databases},
        ]
        instance = client.created("discreet", databases=databases, users=users)
        path = f"/instances/{instance['id']}"
        client.ask("PUT", f"{path}/users", {"users": [{"name": "a", "password": changed}]}, status=202)
        client.ask("POST", f"{path}/users", {"users": [{"name": "b", "password": added}]}, status=202)
        client.ask("POST", f"{path}/users", {"users": [{"name": "b", "password": added}]}, status=400)
        root = client.ask("POST", f"{path}/root")["user"]["password"]
        secrets.add(root.encode())
        mysql(instance, "a", changed).close()
        mysql(instance, "root", root).close()
        # One that fails and is undone, and one that is cancelled, tell of their failures without their secrets.
        doomed, create = client.create("doomed", databases=databases, users=users)
        client.wait_step(create, "install-datastore")
        client.do(create, "cancel")
        client.wait_operation(create, "REVERTED")
        client.wait_operation(client.act(instance["id"], {"restart": {}}))

        wanted = _spellings(PASSWORDS | {root}) | {_message_key(stack, instance["id"])}
        left = _files_with(wanted - {_message_key(stack, instance["id"])}, stack.directory)
        assert left == {}
        kept_to_itself = _files_with({_message_key(stack, instance["id"])}, stack.directory)
        assert set(kept_to_itself) == {str(_key_file(stack, instance["id"]))}
        dumped = _dump(stack.database())
        assert [secret for secret in wanted if secret in dumped] == []
        client.deleted(instance["id"], doomed)
    assert seen == set()


def _key_file(stack: Stack, instance_id: str) -> pathlib.Path:
    return stack.cloud / "servers" / instance_id / "config" / "message.key"


def _message_key(stack: Stack, instance_id: str) -> bytes:
    """What seals the instance's messages, as its guest has it."""
    return _key_file(stack, instance_id).read_bytes().strip()


def test_service_passwords_stay_in_their_files(real_stack: RealStack) -> None:
    """Those of RabbitMQ and of dbflow's own database."""
    passwords = {real_stack.rabbitmq.password.encode(), real_stack.mariadb.password.encode()}
    found = {pathlib.Path(name).name for name in _files_with(passwords, real_stack.directory)}
    assert found <= {"dbflow.conf", "rabbitmq.conf", "init.sql", "guest.conf"}
    with _watched(passwords) as seen:
        real_stack.client().ask("GET", "/instances")
    assert seen == set()

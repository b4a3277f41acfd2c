# SPDX-License-Identifier: Apache-2.0
"""Where owners keep their certificates: files, and Barbican as a small server that speaks its REST."""

import json
import pathlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from oslo_config import cfg

from dbflow import conf as options
from dbflow import secretstore
from dbflow.secretstore import NoSuchSecret, SecretError, SecretStore, StoreUnavailable
from dbflow.secretstore.base import LARGEST

SECRET, TEXT, SEVERAL, CONTAINER, MISSING, BROKEN, LARGE = (
    f"{n}0000000-0000-4000-8000-000000000000" for n in range(1, 8)
)
BLOB = b"\x30\x82binary"
BINARY = "application/octet-stream"
PAYLOADS = {
    f"/v1/secrets/{SECRET}/payload": (BINARY, BLOB),
    f"/v1/secrets/{TEXT}/payload": ("text/plain", b"pass phrase"),
    f"/v1/secrets/{LARGE}/payload": (BINARY, bytes(LARGEST + 1)),
}
ODD = "e0000000-0000-4000-8000-00000000000"
ODD_ANSWERS = {"0": b"<html>", "1": b"[]", "2": b'{"secret_refs": ["it"]}', "3": b'{"secret_refs": [{}]}'}
"""Last digit -> what is said of that container."""


def configured(**values: str) -> cfg.ConfigOpts:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[])
    for name, value in values.items():
        conf.set_override(name, value, "secret_store")
    return conf


class Barbican(BaseHTTPRequestHandler):
    """Answers whoever has the token."""

    def do_GET(self) -> None:
        self._say(*self._answer(self.path, self.headers["X-Auth-Token"], self.headers["Accept"]))

    @staticmethod
    def _answer(path: str, token: str | None, accept: str | None) -> tuple[int, bytes]:
        if token != "mine":
            return (403 if token else 401), b""
        if path in PAYLOADS:
            kind, data = PAYLOADS[path]
            return (200, data) if accept == kind else (406, b"")
        if ODD in path:
            return 200, ODD_ANSWERS[path.rpartition(ODD)[2]]
        refs = {CONTAINER: [SECRET], SEVERAL: [SECRET, TEXT]}.get(path.rpartition("/")[2])
        if refs is None:
            return (500 if BROKEN in path else 404), b""
        told = [{"name": "it", "secret_ref": f"https://elsewhere.test/v1/secrets/{one}"} for one in refs]
        return 200, json.dumps({"secret_refs": told}).encode()

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Barbican)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def barbican(endpoint: str) -> SecretStore:
    return secretstore.load(configured(driver="barbican", barbican_endpoint=endpoint))


def url(kind: str, secret_id: str) -> str:
    return f"https://elsewhere.test/key-manager/v1/{kind}/{secret_id}"


def test_barbican(barbican: SecretStore) -> None:
    assert barbican.read(url("secrets", SECRET), "p", "mine") == BLOB
    assert barbican.read(url("secrets", TEXT), "p", "mine") == b"pass phrase"
    assert barbican.read(url("containers", CONTAINER), "p", "mine") == BLOB


def test_what_barbican_does_not_give(barbican: SecretStore) -> None:
    cases: list[tuple[str, str, type[SecretError], str]] = [
        (url("secrets", MISSING), "mine", NoSuchSecret, "no such secret"),
        (url("secrets", SECRET), "theirs", NoSuchSecret, "does not let you"),
        (url("secrets", SECRET), "", NoSuchSecret, "does not let you"),
        (url("secrets", BROKEN), "mine", StoreUnavailable, "status 500"),
        (url("secrets", LARGE), "mine", SecretError, "more than"),
        (url("containers", SEVERAL), "mine", SecretError, "one secret"),
        *((url("containers", f"{ODD}{which}"), "mine", StoreUnavailable, "not what it") for which in ODD_ANSWERS),
        ("http://127.0.0.1/v1/secrets/../../latest", "mine", SecretError, "URL of a secret"),
        ("file:mine", "mine", SecretError, "URL of a secret"),
    ]
    for reference, token, error, told in cases:
        with pytest.raises(error, match=told):
            barbican.read(reference, "p", token)


def test_barbican_that_is_away(endpoint: str) -> None:
    away = secretstore.load(configured(driver="barbican", barbican_endpoint="http://127.0.0.1:1"))
    with pytest.raises(StoreUnavailable, match="does not answer"):
        away.read(url("secrets", SECRET), "p", "mine")


def test_drivers() -> None:
    with pytest.raises(SecretError, match="barbican_endpoint"):
        secretstore.load(configured(driver="barbican"))
    with pytest.raises(SecretError, match="no secret store driver 'vault'"):
        secretstore.load(configured(driver="vault"))


def test_files(tmp_path: pathlib.Path) -> None:
    store = secretstore.load(configured(directory=str(tmp_path)))
    for project in ("p1", "p2"):
        (tmp_path / project).mkdir()
    mine = tmp_path / "p1" / "mine.p12"
    mine.write_bytes(BLOB)
    mine.chmod(0o600)
    (tmp_path / "p1" / "link").symlink_to(mine)
    (tmp_path / "p1" / "large").write_bytes(bytes(LARGEST + 1))
    (tmp_path / "p1" / "large").chmod(0o600)
    assert store.read("file:mine.p12", "p1", "") == BLOB
    for project, reference, told in [
        ("p2", "file:mine.p12", "no such secret"),
        ("p2", "file:../p1/mine.p12", "must be file:NAME"),
        ("p1/../p1", "file:mine.p12", "must be file:NAME"),
        ("p1", "file:.hidden", "must be file:NAME"),
        ("p1", "file:", "must be file:NAME"),
        ("p1", "mine.p12", "must be file:NAME"),
        ("p1", "file:link", "no such secret"),
        ("p1", "file:large", "more than"),
    ]:
        with pytest.raises(SecretError, match=told):
            store.read(reference, project, "")
    mine.chmod(0o640)
    with pytest.raises(SecretError, match="0600"):
        store.read("file:mine.p12", "p1", "")

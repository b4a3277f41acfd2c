# SPDX-License-Identifier: Apache-2.0
"""dbflow-status upgrade check."""

import pathlib
import re
import sys

import pytest

from dbflow.api.auth import TokenFileAuth
from dbflow.cmd import status
from dbflow.crypto import Keyring
from dbflow.db import migrate
from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.services.seed import ensure_datastore

CONFIG = """\
[database]
connection = {url}
[security]
key_file = {path}/keys
[oslo_policy]
policy_file = {path}/policy.yaml
[api]
auth = token_file
token_file = {path}/tokens.json
[coordination]
driver = zookeeper
[messaging]
url = amqp://rabbit.example.org
management_url = http://rabbit.example.org:15672
heartbeat_interval = 30
"""


class Checked:
    """A deployment, and the check's answer about it."""

    def __init__(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.keys = f"sqlite:///{path}/x.sqlite", path / "keys"
        self.policy, self._file = path / "policy.yaml", path / "dbflow.conf"
        TokenFileAuth.write(path / "tokens.json", {})
        self.configure()
        monkeypatch.setattr(sys, "argv", ["x", "--config-file", str(path / "dbflow.conf"), "upgrade", "check"])
        self._capsys = capsys

    def configure(self, more: str = "", **changes: str) -> None:
        """Options by their names, which no two groups share, instead of those of an ordinary deployment; ``more`` are
        groups that it does not have."""
        written = CONFIG.format(url=self.url, path=self._file.parent) + more
        for name, value in changes.items():
            written, count = re.subn(f"^{name} = .*$", f"{name} = {value}", written, flags=re.MULTILINE)
            assert count == 1
        self._file.write_text(written)

    def ready(self) -> None:
        """Tables and keys."""
        migrate.upgrade(self.url)
        Keyring.create_file(self.keys)

    def __call__(self) -> tuple[int, str]:
        code = status.main()
        return code, " ".join(self._capsys.readouterr().out.replace("|", " ").split())

    def add(self, kind: str, version: int, arguments: str, state: str = "RUNNING") -> None:
        database = Database(self.url)
        with database.write() as session:
            session.add(
                Operation(
                    kind=kind, version=version, target_type="instance", target_id="i", project_id="p", user_id="u",
                    arguments=arguments, state=state,
                )
            )  # fmt: skip
        database.close()


@pytest.fixture
def check(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(tmp_path, monkeypatch, capsys)


def test_ready(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    check.add("instance.create", 1, Keyring.from_file(check.keys).seal({}))
    assert check()[0] == 0


def test_nothing_is_there_yet(check: Checked) -> None:
    code, text = check()
    assert code == 2
    # The table breaks lines where it likes, also behind a hyphen.
    whole = "".join(text.split())
    assert "run`dbflow-managedbsync`" in whole
    assert "`dbflow-managekeygenerate`" in whole


def test_keys_that_others_can_read(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    check.keys.chmod(0o644)
    code, text = check()
    assert code == 2
    assert "mode 0600" in text


def test_keys_that_do_not_fit(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    check.add("instance.create", 1, Keyring([b"A" * 43 + b"="]).seal({}))
    code, text = check()
    assert code == 2
    assert "sealed with a key that is not in the file" in text


def test_operations_of_another_release(check: Checked) -> None:
    migrate.upgrade(check.url)
    Keyring.create_file(check.keys)
    sealed = Keyring.from_file(check.keys).seal({})
    check.add("instance.create", 99, sealed)
    check.add("instance.dance", 1, sealed, state="FAILED")
    check.add("instance.sing", 1, sealed, state="SUCCESS")
    code, text = check()
    assert code == 2
    assert "instance.create version 99, instance.dance version 1" in text
    assert "sing" not in text


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"driver": "embedded"}, "[coordination] driver"),
        ({"heartbeat_interval": "31"}, "[messaging] heartbeat_interval"),
        ({"management_url": ""}, "[messaging] management_url"),
    ],
)
def test_options_that_do_not_fit(check: Checked, changes: dict[str, str], word: str) -> None:
    check.ready()
    check.configure(**changes)
    code, text = check()
    assert code == 1
    assert word in text


def test_a_standalone_is_as_it_should_be(check: Checked) -> None:
    check.ready()
    check.configure(driver="embedded", url="dbflow+unix://control:x@/tmp/socket", management_url="")
    assert check()[0] == 0


@pytest.mark.parametrize("tokens", ["/nonexistent/tokens.json", "/dev/null"])
def test_a_token_file_that_can_not_be_read(check: Checked, tokens: str) -> None:
    check.ready()
    check.configure(token_file=tokens)
    code, text = check()
    assert code == 2
    assert "[api] token_file" in text


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("# nothing\n", 0, ""),
        ("instance:create: role:admin\n", 0, ""),
        ("mine: role:dba\ninstance:create: (rule:mine or rule:admin)\n", 0, ""),
        ("instance:crate: role:admin\n", 1, "instance:crate"),
        ("instance:create: [unclosed\n", 2, "can't be read"),
        ('{"instance:create": "role:admin"}\n', 2, "JSON"),
    ],
)
def test_policy_files(check: Checked, text: str, code: int, said: str) -> None:
    check.ready()
    check.policy.write_text(text)
    found, told = check()
    assert found == code, told
    assert said in told


def test_a_keystone_that_is_not_said(check: Checked) -> None:
    check.ready()
    check.configure(auth="keystone")
    code, text = check()
    assert code == 2
    assert "[keystone_authtoken] auth_type is not set" in text


def test_images_that_the_cloud_does_not_have(check: Checked) -> None:
    check.ready()
    database = Database(check.url)
    for number, image in (("10.11.14", "gone"), ("11.8.3", None)):
        ensure_datastore(database, "mariadb", number, number, "mariadb", image, default=False)
    database.close()
    code, text = check()
    assert code == 2
    assert "The cloud does not have: image of mariadb 10.11.14: gone." in text
    assert "11.8.3" not in text


def test_cloud_that_dbflow_can_not_use(check: Checked) -> None:
    check.ready()
    check.configure("[cloud]\ndriver = openstack\n")
    code, text = check()
    assert code == 2
    assert "[openstack] cloud or auth_type must be set" in " ".join(text.split())

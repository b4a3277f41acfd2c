# SPDX-License-Identifier: Apache-2.0
"""The authority of a project is followed by another one while its servers serve."""

import json
import pathlib
import subprocess
from typing import Any

import pymysql

from dbflow import certificates
from tests.functional.stack import EmbeddedStack, mysql, new_password, query
from tests.functional.stack.inventory import files
from tests.functional.stack.process import SCRIPTS
from tests.waiting import wait_for


def manage(stack: EmbeddedStack, *arguments: str) -> Any:
    """dbflow-manage as an operator runs it: what it prints."""
    command = [str(SCRIPTS / "dbflow-manage"), "--state-dir", str(stack.state), "--format", "json", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_authorities_follow_each_other(images: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with EmbeddedStack(images, {"tls": {"check_interval": 0.3}}) as stack, stack.nothing_left():
        client, password = stack.client(), new_password()
        instance = client.created("certified", users=[{"name": "u", "password": password}])
        connection = mysql(instance, "u", password)
        before = payload(client, instance["id"])
        (first,) = manage(stack, "ca", "show")
        assert (first["state"], first["in_use"]) == ("signs", 1)
        manage(stack, "ca", "rotate", "--now")

        def renewed() -> str:
            now = payload(client, instance["id"])
            return now if certificates.blocks(now)[0] != certificates.blocks(before)[0] else ""

        now = wait_for(renewed, 60, "a certificate of the new authority")
        leaf, *known = certificates.blocks(now)
        assert len(known) == 2
        new = certificates.load(known[0])
        assert certificates.chain(certificates.load(leaf), [new])[-1] == new
        assert certificates.blocks(before)[1] == known[1], "the old one is known still"
        assert query(connection, "SELECT 1") == [(1,)], "who was connected is connected"
        connection.close()
        (tmp_path / "new.pem").write_text(known[0])
        secret: Any = password.encode()
        trusted: dict[str, Any] = {
            "ssl_ca": str(tmp_path / "new.pem"),
            "ssl_verify_cert": True,
            "ssl_verify_identity": True,
        }
        host = client.show(instance["id"])["ip"][0]
        pymysql.connect(host=host, user="u", password=secret, **trusted).close()
        states = [(one["state"], one["in_use"]) for one in manage(stack, "ca", "show")]
        assert states == [("retired", 0), ("signs", 1)]
        assert manage(stack, "ca", "prune") == {"dropped": 1}
        for file in files(stack.state):
            if file.suffix == ".log":
                assert "PRIVATE KEY" not in file.read_text(errors="replace")
        client.deleted(instance["id"])


def payload(client: Any, instance_id: str) -> str:
    """Whatever the server shows; while it is renewed, nobody is told."""

    def shown() -> str:
        answer = client.raw("GET", f"/instances/{instance_id}/ssl?include_certificate=True")
        return str(answer.json()["ssl"]["certificate"]["payload"]) if answer.status_code == 200 else ""

    return wait_for(shown, 60, "the certificate")

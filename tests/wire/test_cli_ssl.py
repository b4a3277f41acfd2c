# SPDX-License-Identifier: Apache-2.0
"""`openstack database ssl …`, and what clients of the real servers see of it."""

import contextlib
import functools
import pathlib
from typing import Any

import pymysql
import pytest

from tests.certificates import Owner
from tests.functional.stack import Client, EmbeddedStack, new_password
from tests.waiting import wait_for
from tests.wire.cli import OpenStack, Refused


class User:
    """Of a database, with a file of those whom it trusts."""

    def __init__(self, member: Client, instance_id: str, password: str, directory: pathlib.Path) -> None:
        self.member, self.instance_id, self.password, self.directory = member, instance_id, password, directory

    def cipher(self, **options: Any) -> str:
        """Log in as pymysql is told to: the connection's cipher, empty without TLS."""
        (address,) = self.member.show(self.instance_id)["ip"]
        connection = pymysql.connect(host=address, user="ann", password=self.password, connect_timeout=10, **options)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            ((_, cipher),) = cursor.fetchall()
        return str(cipher)

    def verified(self, trusted: str, **options: Any) -> str:
        """The same; certificate and address must be right."""
        file = self.directory / "trusted.pem"
        file.write_text(trusted)
        return self.cipher(ssl_ca=str(file), ssl_verify_cert=True, ssl_verify_identity=True, **options)

    def plain(self) -> str:
        return self.cipher(ssl_disabled=True)


@pytest.mark.commands("database ssl enable", "database ssl disable", "database ssl rollback", "database ssl show")
def test_a_set(server: EmbeddedStack, openstack: OpenStack, member: Client, tmp_path: pathlib.Path) -> None:
    before, password, owner = server.settled_inventory(), new_password(), Owner()
    made = openstack.table("database instance create safe --flavor db.tiny --size 1 --users", f"ann:{password}")
    safe = member.wait_healthy(made["id"])["id"]
    user = User(member, safe, password, tmp_path)
    (address,) = member.show(safe)["ip"]

    shown = openstack.table("database ssl show safe --include-certificate")
    assert (shown["status"], shown["mode"], shown["certificate.cn"]) == ("on", "builtin", safe)
    assert shown["certificate.san"] == [address]
    builtin = shown["certificate.payload"]
    assert user.verified(builtin).startswith("TLS_")
    assert user.plain() == ""

    made = openstack.table("database instance create twin --replica-of safe")
    twin = member.wait_healthy(made["id"])["id"]
    follower = User(member, twin, password, tmp_path)
    wait_for(lambda: follower.verified(builtin), 60, "the replica's certificate")
    both = owner.container(address, follower_address(member, twin), password="pw")
    container = server.keep_secret(member, "mine.p12", both)
    word = server.keep_secret(member, "word", b"pw\n")
    with pytest.raises(Refused, match=r"is a replica.*HTTP 400"):
        openstack("database ssl enable twin", container)
    with pytest.raises(Refused, match=r"not with this password.*HTTP 400"):
        openstack("database ssl enable safe", container)
    with pytest.raises(Refused, match=r"nothing was changed.*HTTP 400"):
        openstack("database ssl rollback safe")

    trusted = owner.authority.certificate
    changed = openstack.table("database ssl enable safe --mode basic --password_ref", word, container)
    assert changed == {"mode": "basic", "restart_required": False, "status": "on"}
    for one in (user, follower):
        assert one.verified(trusted).startswith("TLS_")
        assert one.plain() == ""
    shown = openstack.table("database ssl show safe")
    assert (shown["mode"], shown["certificate.cn"], set(shown["certificate.san"])) == (
        "basic",
        address,
        {address, follower_address(member, twin)},
    )
    assert "certificate.payload" not in shown

    openstack("database ssl enable safe --mode enforced --password_ref", word, container)
    for one in (user, follower):
        assert one.verified(trusted).startswith("TLS_")
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            one.plain()
    openstack("database user create safe ben", new_password())  # dbflow itself gets in, and the replica follows
    wait_for(lambda: "ben" in names(member, twin), 60, "what is written to the source on the replica")

    back_from_mtls(openstack, (user, follower), owner, (word, container))
    for name in ("twin", "safe"):
        openstack("database instance delete", name)
        wait_for(functools.partial(gone, member, name), 60, f"{name} to be gone")
    server.wait_inventory(before)


def follower_address(member: Client, instance_id: str) -> str:
    (address,) = member.show(instance_id)["ip"]
    return str(address)


def names(member: Client, instance_id: str) -> set[str]:
    return {one["name"] for one in member.ask("GET", f"/instances/{instance_id}/users")["users"]}


def gone(member: Client, name: str) -> bool:
    return name not in {one["name"] for one in member.ask("GET", "/instances")["instances"]}


def refused(user: User, trusted: str) -> bool:
    try:
        user.verified(trusted)
    except pymysql.OperationalError as error:
        return "Access denied" in str(error)
    return False


def accepted(user: User, trusted: str) -> bool:
    return not refused(user, trusted)


def back_from_mtls(openstack: OpenStack, users: tuple[User, User], owner: Owner, refs: tuple[str, str]) -> None:
    """To a certificate of each client, and to nothing of that."""
    trusted, mine = owner.authority.certificate, owner.client(users[0].directory)
    openstack("database ssl enable safe --mode mtls --password_ref", *refs)
    for one in users:
        wait_for(functools.partial(refused, one, trusted), 60, "a certificate to be demanded")
        assert one.verified(trusted, **mine).startswith("TLS_")
    assert openstack.table("database ssl rollback safe")["mode"] == "enforced"
    for one in users:
        wait_for(functools.partial(accepted, one, trusted), 60, "no certificate to be demanded")
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            one.plain()
    assert openstack.table("database ssl disable safe")["mode"] == "builtin"
    payload = openstack.table("database ssl show safe --include-certificate")["certificate.payload"]
    for one in users:
        assert one.plain() == ""
        assert one.verified(payload).startswith("TLS_")

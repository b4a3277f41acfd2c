# SPDX-License-Identifier: Apache-2.0
"""Changes of TLS: the new certificate, or the old one, and clients who get in as that says."""

import ssl
from collections.abc import Mapping
from typing import Any, ClassVar

import pymysql

from dbflow import certificates
from tests.certificates import Owner
from tests.fault.sweep.points import SUCCESS
from tests.fault.sweep.replication import Grouped
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import Client
from tests.functional.stack.client import operation_of


def shown(client: Client, instance_id: str) -> dict[str, Any]:
    """How it uses TLS, with its certificates."""
    found: dict[str, Any] = client.ask("GET", f"/instances/{instance_id}/ssl?include_certificate=True")["ssl"]
    return found


def serves(instance: dict[str, Any], payload: str) -> list[str]:
    """Violations of: the server has the private key of the first of these certificates, and shows it."""
    context = ssl.create_default_context(cadata=certificates.blocks(payload)[0])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    connection = pymysql.connections.Connection(
        host=instance["ip"][0], user="nobody", password="", ssl=context, defer_connect=True
    )
    try:
        connection.connect()
    except pymysql.OperationalError as error:
        if "SSL" in str(error) or "certificate" in str(error):
            return [f"TLS: {error}"]
    return []


class Renew(Scenario):
    """Another certificate, or the same."""

    kind = "instance.renew_certificate"
    before = ""

    def prepare(self) -> None:
        super().prepare()
        self.before = shown(self.client, self.instance_id)["certificate"]["payload"]

    def ask(self) -> None:
        path = f"/mgmt/instances/{self.instance_id}/action"
        self.post_as(self.stack.admin(), path, {"renew-certificate": {}})

    def check(self, ends: str) -> list[str]:
        found = self.healthy()
        now = shown(self.client, self.instance_id)["certificate"]["payload"]
        changed = certificates.blocks(now)[0] != certificates.blocks(self.before)[0]
        found += [] if changed == (ends == SUCCESS) else [f"the certificate is {'a new' if changed else 'the old'} one"]
        return found + serves(self.client.show(self.instance_id), now)


def _whoever() -> ssl.SSLContext:
    """For TLS with a server that has any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class ChangeTls(Grouped):
    """Back to dbflow's own certificate, on a source and its replica, from their owner's, which is insisted on."""

    kind: ClassVar[str] = "instance.ssl"
    link: ClassVar[Mapping[str, object]] = {"ssl": _whoever()}
    container = ""

    def prepare(self) -> None:
        if not self.source_id:
            self.make_source()
            self.make_replicas(1)
            addresses = [self.client.show(one)["ip"][0] for one in (self.source_id, *self.replica_ids)]
            self.container = self.stack.keep_secret(self.client, "swept", Owner().container(*addresses))
        self.instance_id = self.source_id
        if shown(self.client, self.source_id)["mode"] != "enforced":
            wanted = {"enable": True, "mode": "enforced", "container_ref": self.container}
            answer = self.client.raw("POST", f"/instances/{self.source_id}/ssl", {"ssl": wanted})
            assert answer.status_code == 200, answer.text
            self.client.wait_operation(operation_of(answer))
        self.expected = self.stack.settled_inventory()

    def ask(self) -> None:
        self.post_as(self.client, f"/instances/{self.source_id}/ssl", {"ssl": {"disable": True}}, 422)

    def check(self, ends: str) -> list[str]:
        mode = "builtin" if ends == SUCCESS else "enforced"
        found = self.one_is_written_to(self.source_id, self.replica_ids)
        for member in (self.source_id, *self.replica_ids):
            told = shown(self.client, member)
            found += [] if told["mode"] == mode else [f"{member}: mode {told['mode']} instead of {mode}"]
            payload = told["certificate"]["payload"]
            found += serves(self.client.show(member), payload)
            found += self.plain_is(member, mode == "builtin")
        return found

    def plain_is(self, member: str, allowed: bool) -> list[str]:
        """Violations of: clients get in without TLS, or do not."""
        secret: Any = self.password.encode()
        try:
            pymysql.connect(
                host=self.client.show(member)["ip"][0], user="u", password=secret, ssl_disabled=True, connect_timeout=10
            ).close()
        except pymysql.OperationalError as error:
            return [f"{member}: without TLS: {error}"] if allowed else []
        return [] if allowed else [f"{member}: lets clients in without TLS"]

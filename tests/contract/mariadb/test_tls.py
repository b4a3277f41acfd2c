# SPDX-License-Identifier: Apache-2.0
"""TLS on the real server: what it shows, whom it lets in, and the way back."""

import contextlib
import datetime
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from dbflow import certificates
from dbflow.certificates import Authority
from dbflow.tlsmode import Mode
from guest.datastores.base import DatastoreError, Identity, Tls, UserSpec
from guest.datastores.mariadb.client import Client as MariaClient
from guest.datastores.mariadb.client import Session
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.quoting import literal
from guest.tasks.replication import AdmitReplicas, BeginReplica, RequireAcknowledgement, RestoreReplica
from guest.tasks.tls import ChangeCertificate, CheckCertified, CheckTls, InstallCertificate, RequestCertificate
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.mariadb.trio import LOGIN, Trio, copy, run, undo
from tests.contract.site import SETTINGS, TIMEOUT, Site, new_site
from tests.objects.vault import vault
from tests.waiting import wait_for

YEAR = datetime.timedelta(days=365)
INSECURE = r"Access denied|\(3159, .*insecure transport are prohibited"
"""What a server that insists on TLS says to who has none: from 11.4 on it says why."""


class Client:
    """A user of the server, and the authorities it knows."""

    def __init__(self, site: Site, directory: pathlib.Path, name: str, password: str) -> None:
        self.site, self.directory, self.name, self.password = site, directory, name, password

    @classmethod
    def new(cls, site: Site, directory: pathlib.Path) -> "Client":
        """Of an account that is made for it."""
        made = cls(site, directory, f"u{secrets.token_hex(4)}", site.password())
        site.accounts.create_users([UserSpec(made.name, made.password)])
        return made

    def file(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def cipher(self, **options: Any) -> str:
        """Connect as pymysql is told to: the connection's cipher, empty without TLS."""
        machine = self.site.machine
        secret: Any = self.password.encode()
        connection = pymysql.connect(
            host=machine.address, port=machine.port, user=self.name, password=secret, connect_timeout=10, **options
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            ((_, cipher),) = cursor.fetchall()
        return str(cipher)

    def verified(self, authority: Authority, **options: Any) -> str:
        """The same, with the server's certificate and address checked."""
        ca = self.file("ca.pem", authority.certificate)
        return self.cipher(ssl_ca=ca, ssl_verify_cert=True, ssl_verify_identity=True, **options)

    def plain(self) -> str:
        return self.cipher(ssl_disabled=True)

    def certified(self, authority: Authority) -> dict[str, str]:
        """A certificate of a client's own."""
        key = certificates.new_key()
        made = certificates.issue(authority, certificates.request(key, "client"), "client", ["client.test"], YEAR)
        return {"ssl_key": self.file("client.key", key), "ssl_cert": self.file("client.pem", made)}


@pytest.fixture
def authority() -> Authority:
    return certificates.new_authority("dbflow", YEAR)


@pytest.fixture
def owners() -> Authority:
    return certificates.new_authority("owner", YEAR)


def brought(site: Site, owners: Authority, mode: Mode) -> Identity:
    """As made of an owner's container."""
    key = certificates.new_key()
    csr = certificates.request(key, "owner's")
    made = certificates.issue(owners, csr, "owner's", [site.machine.address], YEAR)
    return Identity(mode, made, owners.certificate, key)


def issued(site: Site, authority: Authority) -> Identity:
    """As dbflow does it."""
    csr = run(RequestCertificate, site)
    made = certificates.issue(authority, csr, "i", [site.machine.address], YEAR)
    return Identity(Mode.BUILTIN, made, authority.certificate)


def give(site: Site, identity: Identity, change: str) -> None:
    run(ChangeCertificate, site, identity=vars(identity), change=change)


def tls_of(site: Site) -> Tls:
    assert site.datastore.tls is not None
    return site.datastore.tls


@pytest.fixture
def client(site: Site, tmp_path: pathlib.Path, authority: Authority) -> Iterator[Client]:
    yield Client.new(site, tmp_path)
    give(site, issued(site, authority), secrets.token_hex(4))


def test_a_new_server_has_tls_at_once(site: Site, client: Client, authority: Authority) -> None:
    run(CheckTls, site)
    assert client.cipher(ssl={"check_hostname": False}) != ""
    run(InstallCertificate, site, identity=vars(issued(site, authority)), change="first")
    assert tls_of(site).certified()
    assert client.verified(authority).startswith("TLS_")
    assert client.plain() == ""
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        client.verified(certificates.new_authority("stranger", YEAR))
    site.datastore.lifecycle.restart(TIMEOUT)
    assert client.verified(authority)


def test_the_private_key_is_the_servers_alone(site: Site, client: Client, authority: Authority) -> None:
    give(site, issued(site, authority), "mine")
    layout = Layout.of(site.machine)
    for path in (layout.tls_state, layout.tls_server):
        assert path.stat().st_mode & 0o077 == 0
    assert "PRIVATE KEY" in layout.tls_server.read_text()
    assert not layout.tls_pending.exists()
    assert "PRIVATE KEY" not in run(RequestCertificate, site)
    assert run(RequestCertificate, site) is not None


def test_a_certificate_of_another_key_is_refused(site: Site, client: Client, authority: Authority) -> None:
    run(RequestCertificate, site)
    stolen = brought(site, authority, Mode.BASIC)
    with pytest.raises(DatastoreError, match="not of the key"):
        give(site, Identity(Mode.BUILTIN, stolen.certificate, stolen.authorities), "stolen")


def test_modes(site: Site, client: Client, authority: Authority, owners: Authority) -> None:
    give(site, brought(site, owners, Mode.BASIC), "basic")
    assert client.verified(owners)
    assert client.plain() == ""
    give(site, brought(site, owners, Mode.ENFORCED), "enforced")
    assert client.verified(owners)
    with pytest.raises(pymysql.OperationalError, match=INSECURE):
        client.plain()
    assert site.datastore.lifecycle.health().service_status == "HEALTHY"
    site.datastore.lifecycle.restart(TIMEOUT)
    with pytest.raises(pymysql.OperationalError, match=INSECURE):
        client.plain()
    give(site, issued(site, authority), "back")
    assert client.plain() == ""
    assert client.verified(authority)


def test_a_certificate_of_each_client(site: Site, client: Client, authority: Authority, owners: Authority) -> None:
    give(site, brought(site, owners, Mode.MTLS), "mtls")
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        client.verified(owners)
    assert client.verified(owners, **client.certified(owners))
    with pytest.raises(pymysql.OperationalError):
        client.verified(owners, **client.certified(authority))
    later = Client.new(site, client.directory)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        later.verified(owners)
    assert later.verified(owners, **later.certified(owners))
    password = site.password()
    assert site.accounts.enable_root(password) == "root"
    root = Client(site, client.directory, "root", password)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        root.verified(owners)
    site.datastore.lifecycle.restart(TIMEOUT)
    assert site.datastore.lifecycle.health().service_status == "HEALTHY"
    give(site, issued(site, authority), "no more")
    for one in (client, later, root):
        assert one.plain() == ""
    site.accounts.disable_root()


def test_accounts_that_a_script_makes(site: Site, client: Client, owners: Authority) -> None:
    """Also one that breaks off."""
    give(site, brought(site, owners, Mode.MTLS), "scripts")
    scripts = site.datastore.scripts
    assert scripts is not None
    made = [Client(site, client.directory, f"s{secrets.token_hex(4)}", site.password()) for _ in range(2)]
    statements = [f"CREATE USER {one.name} IDENTIFIED BY {literal(one.password)}" for one in made]
    scripts.run(statements[0], TIMEOUT)
    with pytest.raises(DatastoreError, match="Statement 2 failed"):
        scripts.run(f"{statements[1]}; SELECT nothing", TIMEOUT)
    for one in made:
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            one.verified(owners)
        assert one.verified(owners, **one.certified(owners))


def test_a_change_is_undone(site: Site, client: Client, authority: Authority, owners: Authority) -> None:
    give(site, issued(site, authority), "first")
    for mode in (Mode.BASIC, Mode.ENFORCED, Mode.MTLS):
        give(site, brought(site, owners, mode), mode)
        give(site, brought(site, owners, mode), mode)  # once more: the agent died before it said so
        for _ in range(2):
            undo(ChangeCertificate, site, change=mode)
            assert client.verified(authority)
            assert client.plain() == ""
    give(site, brought(site, owners, Mode.BASIC), "basic")
    undo(ChangeCertificate, site, change="another")
    assert client.verified(owners)


def test_accounts_are_changed_though_the_server_died(
    site: Site, client: Client, authority: Authority, owners: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the change, and of its undoing."""

    def dies(*_: object) -> None:
        process = site.process()
        assert process is not None
        process.kill()
        wait_for(lambda: site.process() is None, TIMEOUT, "the server's death")
        raise DatastoreError("the agent died, too")

    give(site, issued(site, authority), "first")
    identity = brought(site, owners, Mode.MTLS)
    with monkeypatch.context() as patched:
        patched.setattr("guest.datastores.mariadb.tls._align", dies)
        with pytest.raises(DatastoreError, match="died"):
            give(site, identity, "mtls")
    give(site, identity, "mtls")
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        client.verified(owners)
    with monkeypatch.context() as patched:
        patched.setattr("guest.datastores.mariadb.tls._align", dies)
        with pytest.raises(DatastoreError, match="died"):
            undo(ChangeCertificate, site, change="mtls")
    undo(ChangeCertificate, site, change="mtls")
    assert client.verified(authority)


def session_of(site: Site) -> contextlib.AbstractContextManager[Session]:
    return MariaClient(Layout.of(site.machine)).session()


def link(replica: Site) -> str:
    """Whether it follows its source by TLS."""
    with session_of(replica) as session:
        ((channel),) = session.named("SHOW SLAVE STATUS")
    return str(channel["Master_SSL_Allowed"])


def arrives(source: Site, replica: Site, text: str) -> None:
    """What is written to the source is on the replica."""
    with session_of(source) as session:
        session.run(f"INSERT INTO shop.texts VALUES ('{text}')")
        ((position,),) = session.rows("SELECT @@GLOBAL.gtid_binlog_pos")
    with session_of(replica) as session:
        assert session.rows(f"SELECT MASTER_GTID_WAIT('{position}', 30)") == [(0,)]
        assert (text,) in session.rows("SELECT * FROM shop.texts")


def test_replicas_of_a_source_that_insists(
    kit: MariaDBKit, image: pathlib.Path, tmp_path: pathlib.Path, authority: Authority, owners: Authority
) -> None:
    with new_site(kit, image) as source, new_site(kit, image) as replica, vault(tmp_path / "objects") as store:
        source.install()
        with session_of(source) as session:
            session.run("CREATE DATABASE shop")
            session.run("CREATE TABLE shop.texts (t TEXT)")
        client = Client.new(source, tmp_path)
        give(source, issued(source, authority), "first")
        admitted = run(AdmitReplicas, source, replication=LOGIN)
        assert admitted["tls"]
        made = copy(source, store, "copy")
        size = {"ram": SETTINGS.ram, "vcpus": SETTINGS.vcpus, "overrides": {}}
        run(RestoreReplica, replica, download=store.download({"copy": made}), **size)
        give(replica, issued(replica, authority), "first")
        run(BeginReplica, replica, endpoint=admitted, replication=LOGIN, made=made)
        run(RequireAcknowledgement, source, replication=LOGIN)
        assert link(replica) == "Yes"
        arrives(source, replica, "builtin")
        for mode in (Mode.ENFORCED, Mode.MTLS):
            give(replica, brought(replica, owners, mode), mode)
            give(source, brought(source, owners, mode), mode)
            replica.datastore.lifecycle.restart(TIMEOUT)
            arrives(source, replica, mode)
            with pytest.raises(pymysql.OperationalError, match=INSECURE):
                client.plain()
        assert client.verified(owners, **client.certified(owners))
        set_of = Trio(source, [replica], client.password)
        set_of.promote(replica)
        arrives(replica, source, "promoted")
        assert link(source) == "Yes"


def test_a_set_that_has_no_certificates_yet(
    kit: MariaDBKit, image: pathlib.Path, tmp_path: pathlib.Path, authority: Authority, owners: Authority
) -> None:
    """As releases that knew no TLS have made it."""
    with new_site(kit, image) as source, new_site(kit, image) as replica, vault(tmp_path / "objects") as store:
        source.install()
        with session_of(source) as session:
            session.run("CREATE DATABASE shop")
            session.run("CREATE TABLE shop.texts (t TEXT)")
        give(source, brought(source, owners, Mode.BASIC), "tried")
        undo(ChangeCertificate, source, change="tried")
        with pytest.raises(DatastoreError, match="disabling TLS gives it one"):
            run(CheckCertified, source)
        admitted = run(AdmitReplicas, source, replication=LOGIN)
        assert not admitted["tls"]
        made = copy(source, store, "copy")
        size = {"ram": SETTINGS.ram, "vcpus": SETTINGS.vcpus, "overrides": {}}
        run(RestoreReplica, replica, download=store.download({"copy": made}), **size)
        run(BeginReplica, replica, endpoint=admitted, replication=LOGIN, made=made)
        for one in (replica, source):
            give(one, issued(one, authority), "builtin")
            run(CheckCertified, one)
        assert link(replica) == "No"
        arrives(source, replica, "plain")
        for one in (replica, source):
            give(one, brought(one, owners, Mode.ENFORCED), "enforced")
            arrives(source, replica, f"{one.machine.address} insists")
        assert link(replica) == "Yes"
        with session_of(replica) as session:
            session.run("STOP SLAVE")  # as an agent that died leaves it
        give(replica, brought(replica, owners, Mode.ENFORCED), "enforced")
        arrives(source, replica, "started")
        for one in (source, replica):
            undo(ChangeCertificate, one, change="enforced")
            arrives(source, replica, f"{one.machine.address} as before")


def test_accounts_that_demanded_a_certificate_before(site: Site, client: Client, owners: Authority) -> None:
    with session_of(site) as session:
        session.run("CREATE USER demanding REQUIRE X509")
    give(site, brought(site, owners, Mode.MTLS), "demanding")
    for _ in range(2):
        undo(ChangeCertificate, site, change="demanding")
        assert client.plain() == ""
        with session_of(site) as session:
            ((shown,),) = session.rows("SHOW CREATE USER demanding")
            assert "REQUIRE X509" in shown
    with session_of(site) as session:
        session.run("DROP USER demanding")

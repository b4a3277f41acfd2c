# SPDX-License-Identifier: Apache-2.0
"""Scripts on the real server: how they end, what is said of it, and who may do what with what they make."""

import contextlib
import datetime
import pathlib
import resource
import secrets
import threading
import time
from collections.abc import Iterator

import pytest

from dbflow import certificates
from dbflow.datastores.mariadb import SCRIPT_USER
from dbflow.tlsmode import Mode
from guest.datastores.base import DatastoreError, Identity, Untouched
from guest.datastores.mariadb.scripts import Scripts
from guest.tasks.tls import ChangeCertificate
from tests.contract.kits.base import Refused
from tests.contract.kits.mariadb import MariaDBKit
from tests.contract.mariadb.trio import Trio, run, trio, undo
from tests.contract.site import TIMEOUT, Site, new_site
from tests.objects.vault import vault
from tests.waiting import wait_for

RUNNING = f"SELECT INFO FROM information_schema.PROCESSLIST WHERE USER = '{SCRIPT_USER}'"


@pytest.fixture(scope="module")
def site(kit: MariaDBKit, image: pathlib.Path) -> Iterator[Site]:
    with new_site(kit, image) as made:
        made.install()
        scripts(made).run("CREATE DATABASE shop; CREATE TABLE shop.t (n INT PRIMARY KEY); INSERT shop.t VALUES (1)", 30)
        yield made


def scripts(site: Site) -> Scripts:
    assert isinstance(site.datastore.scripts, Scripts)
    return site.datastore.scripts


def asked(site: Site, statement: str) -> list[tuple[object, ...]]:
    with scripts(site)._client.session() as session:
        return session.rows(statement)


def there(site: Site, name: str) -> bool:
    return asked(site, f"SHOW DATABASES LIKE '{name}'") != []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("DO 1", 1),
        ("DO 1; DO 2;", 2),
        ("DO 1;\n  \n", 1),
        ("SELECT 1 UNION SELECT 2; SELECT * FROM shop.t; DO 3", 3),
        ("BEGIN NOT ATOMIC DO 1; DO 2; END; DO 3", 2),
        ("DO 1;\n-- a comment is one, too\n", 2),
    ],
)
def test_statements_are_counted(site: Site, text: str, count: int) -> None:
    assert scripts(site).run(text, 30) == count


@pytest.mark.parametrize(
    "text",
    [
        "CREATE DATABASE shop; DO 1",
        "NONSENSE",
        "INSERT shop.t VALUES (2), (1)",
        "DROP USER nobody",
        "BEGIN NOT ATOMIC START TRANSACTION; INSERT shop.t VALUES (3); SELECT nothing; END",
        "BEGIN NOT ATOMIC ROLLBACK; CREATE DATABASE shop; END",
    ],
)
def test_a_first_statement_that_did_nothing(site: Site, text: str) -> None:
    with pytest.raises(Untouched, match="Statement 1 failed"):
        scripts(site).run(text, 30)
    assert asked(site, "SELECT n FROM shop.t") == [(1,)]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE USER made, 'dbflow_admin'@localhost",
        "DROP TABLE shop.nowhere, shop.gone",
        "BEGIN NOT ATOMIC CREATE DATABASE half; CREATE DATABASE shop; END",
        "BEGIN NOT ATOMIC SET SESSION sql_log_bin = 0; CREATE DATABASE half; CREATE DATABASE shop; END",
        "BEGIN NOT ATOMIC INSERT shop.log VALUES (1); CREATE DATABASE shop; END",
    ],
)
def test_a_first_statement_that_did_something(site: Site, text: str) -> None:
    scripts(site).run(
        "DROP DATABASE IF EXISTS half; CREATE OR REPLACE TABLE shop.gone (n INT);"
        " CREATE OR REPLACE TABLE shop.log (n INT) ENGINE = Aria; DROP USER IF EXISTS made",
        30,
    )
    with pytest.raises(DatastoreError, match="Statement 1 failed") as caught:
        scripts(site).run(text, 30)
    assert not isinstance(caught.value, Untouched)


def test_an_empty_statement_does_not_end_it(site: Site) -> None:
    """Which the server takes for an error; what follows is not run."""
    with pytest.raises(DatastoreError, match="Statement 2 failed"):
        scripts(site).run("DO 1; EXECUTE IMMEDIATE ''; DO 2", 30)


def test_what_is_said_of_a_later_one(site: Site) -> None:
    password = site.password().replace("'", "").replace("\\", "")
    with pytest.raises(DatastoreError) as caught:
        scripts(site).run(f"DO 1; CREATE USER u IDENTIFIED BY '{password}' NONSENSE; CREATE DATABASE half", 30)
    assert (type(caught.value), "Statement 2 failed" in str(caught.value)) == (DatastoreError, True)
    assert password not in str(caught.value)


@pytest.mark.parametrize("text", ["LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE shop.t", "\\! true"])
def test_nothing_of_the_agents_machine(site: Site, text: str) -> None:
    with pytest.raises(DatastoreError, match="Statement 1 failed"):
        scripts(site).run(text, 30)


@pytest.mark.parametrize(
    "text", ["DO SLEEP(30); CREATE DATABASE late", "DO SLEEP(0.4); " * 6 + "CREATE DATABASE late", "SELECT SLEEP(30)"]
)
def test_it_ends_in_time(site: Site, text: str) -> None:
    began = time.monotonic()
    with pytest.raises(DatastoreError, match="did not end within 1 s"):
        scripts(site).run(text, 1)
    assert time.monotonic() - began < 10
    wait_for(lambda: not asked(site, RUNNING), 30, "the end of the script")
    assert not there(site, "late")


@contextlib.contextmanager
def left_running(site: Site, text: str) -> Iterator[threading.Thread]:
    """A script whose agent is heard of no more."""
    made = Scripts(scripts(site)._layout, scripts(site)._client)
    errors: list[DatastoreError] = []

    def go() -> None:
        try:
            made.run(text, 60)
        except DatastoreError as error:
            errors.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    wait_for(lambda: any("SLEEP" in str(row) for row in asked(site, RUNNING)), 30, "a script that sleeps")
    yield thread
    thread.join(30)
    assert not thread.is_alive()
    assert "did not end" in str(errors)


@pytest.mark.parametrize("settled", [False, True])
def test_what_a_dead_agent_has_begun_ends_first(site: Site, settled: bool) -> None:
    with left_running(site, "DO SLEEP(50); CREATE DATABASE behind_our_back"):
        began = time.monotonic()
        if settled:
            scripts(site).settle()
        else:
            scripts(site).run("DO 0", 30)
        assert time.monotonic() - began < 10
    assert not there(site, "behind_our_back")


def test_readiness_disturbs_nobody(site: Site) -> None:
    """It is asked beside whoever is at work."""
    with left_running(site, "DO SLEEP(50)"):
        scripts(site).ready()
        assert asked(site, RUNNING)
        scripts(site).settle()


def test_rows_are_not_kept(site: Site) -> None:
    """Some 150 MB of them."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert scripts(site).run("SELECT REPEAT('x', 1000000) FROM shop.t, shop.seq_1_to_150; DO 1", TIMEOUT) == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_nobody_takes_the_account_for_their_own(site: Site) -> None:
    assert SCRIPT_USER not in {user.name for user in site.accounts.list_users()}
    root = site.password()
    site.accounts.enable_root(root)
    for statement in ("ALTER USER {0} ACCOUNT LOCK", "ALTER USER {0} REQUIRE X509", "DROP USER {0}"):
        site.kit.query(site.machine, "root", root, statement.format(f"{SCRIPT_USER}@localhost"))
        assert scripts(site).run("DO 1", 30) == 1
    site.accounts.disable_root()


def test_who_needs_a_certificate(site: Site) -> None:
    """In mode mtls accounts that a script makes do, also when it breaks off or its agent dies; others are their
    owners'."""
    owners = certificates.new_authority("owner", datetime.timedelta(days=1))
    key = certificates.new_key()
    made = certificates.issue(
        owners, certificates.request(key, "o"), "o", [site.machine.address], datetime.timedelta(days=1)
    )
    identity = Identity(Mode.MTLS, made, owners.certificate, key)
    run(ChangeCertificate, site, identity=vars(identity), change="mtls")
    asked(site, "CREATE USER legacy")
    scripts(site).run("CREATE USER first_one", 30)
    with pytest.raises(DatastoreError, match="Statement 2"):
        scripts(site).run("CREATE USER second; NONSENSE", 30)
    with left_running(site, "CREATE USER third; DO SLEEP(50)"):
        scripts(site).settle()
    scripts(site).run("CREATE OR REPLACE USER first_one", 30)
    scripts(site).ready()
    for name, demands in (("first_one", True), ("second", True), ("third", True), ("legacy", False)):
        ((shown,),) = asked(site, f"SHOW CREATE USER {name}")
        assert ("REQUIRE X509" in str(shown)) == demands, name
    undo(ChangeCertificate, site, change="mtls")


@pytest.fixture(scope="module")
def pair(kit: MariaDBKit, image: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    """A source on which a script was run before there was a replica."""
    with (
        vault(tmp_path_factory.mktemp("objects")) as store,
        trio(kit, image, store, replicas=1, before=_before) as made,
    ):
        yield made


PASSWORD = secrets.token_hex(8)


def _before(source: Site) -> None:
    scripts(source).run(
        f"CREATE DATABASE site; CREATE TABLE site.t (n INT); CREATE USER dba IDENTIFIED BY '{PASSWORD}';"
        f" GRANT ALL ON *.* TO dba; CREATE USER plain IDENTIFIED BY '{PASSWORD}'; GRANT EXECUTE ON site.* TO plain;"
        " CREATE PROCEDURE site.earlier() INSERT site.t VALUES (1)",
        30,
    )


def must_not_write(replica: Site, name: str, statement: str) -> None:
    with pytest.raises(Refused, match="read-only"):
        replica.kit.query(replica.machine, name, PASSWORD, statement, "site")


def test_nobody_writes_to_a_replica(pair: Trio) -> None:
    """Neither accounts that a script makes, nor who calls a routine of one."""
    source, (replica,) = pair.source, pair.others
    for whom in ("dba", "PUBLIC", "plain"):
        with pytest.raises(DatastoreError, match="Statement 2 failed: Access denied"):
            scripts(source).run(f"DO 1; GRANT ALL ON *.* TO {whom}", 30)
    with pytest.raises(DatastoreError, match="Statement 1 failed: Access denied"):
        scripts(source).run("SET GLOBAL read_only = 1", 30)
    scripts(source).run("CREATE PROCEDURE site.later() INSERT site.t VALUES (2); CREATE DATABASE caught_up", 30)
    wait_for(lambda: there(replica, "caught_up"), 30, "the procedure on the replica")
    must_not_write(replica, "dba", "INSERT t VALUES (3)")
    for procedure in ("earlier", "later"):
        source.kit.query(source.machine, "plain", PASSWORD, f"CALL {procedure}()", "site")
        must_not_write(replica, "plain", f"CALL {procedure}()")


def test_a_script_that_nobody_waits_for_does_not_outlive_its_source(pair: Trio) -> None:
    """It is one of the clients that are ended when another server becomes the source."""
    old, (candidate,) = pair.source, pair.others
    with left_running(old, "DO SLEEP(50); CREATE DATABASE behind_our_back"):
        pair.promote(candidate)
    assert not there(old, "behind_our_back")
    assert scripts(candidate).run("CREATE DATABASE from_the_new_one", 30) == 1
    wait_for(lambda: there(old, "from_the_new_one"), 30, "it on the former source")


def test_the_account_has_all_rights_again_on_a_server_that_is_alone(site: Site) -> None:
    asked(site, f"REVOKE READ_ONLY ADMIN, SUPER ON *.* FROM {SCRIPT_USER}@localhost")
    scripts(site).run("CREATE USER dba; GRANT ALL ON *.* TO dba WITH GRANT OPTION", 30)

# SPDX-License-Identifier: Apache-2.0
"""The test servers themselves: they serve, survive restarts and kills with their data, and leave nothing behind."""

import contextlib
import pathlib
import subprocess
import sys
import threading

import amqp
import kombu
import psutil
import pymysql
import pytest
import sqlalchemy
from kazoo.client import KazooClient

from tests.servers import MariaDBServer, RabbitMQ, Server, ServerError, ZooKeeper
from tests.servers.ports import is_open
from tests.waiting import wait_for

QUEUE = kombu.Queue("work", kombu.Exchange("down", "direct"), routing_key="work", durable=True)


def publish(url: str, body: str) -> None:
    with kombu.Connection(url) as connection:
        connection.Producer().publish(body, exchange=QUEUE.exchange, routing_key="work", declare=[QUEUE])


def consume(url: str) -> str:
    with kombu.Connection(url) as connection, connection.SimpleQueue(QUEUE) as queue:
        message = queue.get(timeout=10)
        message.ack()
        return str(message.payload)


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def listening(process: psutil.Process) -> set[str]:
    """The addresses; none of one that has ended meanwhile, such as what a server looks at its disk with."""
    with contextlib.suppress(psutil.NoSuchProcess):
        connections = process.net_connections("inet")
        return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}
    return set()


def assert_gone(pid: int, ports: list[int]) -> None:
    assert not psutil.pid_exists(pid)
    assert [port for port in ports if is_open(port)] == []


@pytest.mark.parametrize("kind", [ZooKeeper, RabbitMQ, MariaDBServer])
def test_listens_on_loopback_only_and_leaves_no_process_or_port(kind: type[Server], open_tmp: pathlib.Path) -> None:
    before = children()
    with kind(open_tmp) as server:
        pid, ports = server.pid, server.ports
        assert all(is_open(port) for port in ports)
        addresses = {address for process in children() - before for address in listening(process)}
        assert addresses
        assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert_gone(pid, ports)
    assert children() <= before


def test_zookeeper_keeps_data_over_restart_and_ends_short_sessions(open_tmp: pathlib.Path) -> None:
    with ZooKeeper(open_tmp) as server:
        client = KazooClient(server.hosts, timeout=1.0)
        client.start(timeout=10)
        assert client._session_timeout == 1000
        client.create("/kept", b"value")
        client.create("/claim", ephemeral=True)
        client.stop()
        server.restart()
        other = KazooClient(server.hosts, timeout=1.0)
        other.start(timeout=10)
        assert other.get("/kept")[0] == b"value"
        assert other.exists("/claim") is None
        assert int(server.counters()["zk_znode_count"]) > 1
        other.stop()


def test_a_paused_zookeeper_answers_nothing_until_it_is_resumed(open_tmp: pathlib.Path) -> None:
    with ZooKeeper(open_tmp) as server:
        server.pause()
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(server.ask("ruok")))
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        server.resume()
        asking.join(10)
        assert answers == ["imok"]


def test_rabbitmq_virtual_hosts_are_apart_and_survive_a_kill(open_tmp: pathlib.Path) -> None:
    server = RabbitMQ(open_tmp).start()
    try:
        first, second = server.create_vhost("first/one"), server.create_vhost("second")
        publish(first, "hello")
        publish(second, "there")
        assert consume(second) == "there"
        server.kill()
        server.start()
        assert "first/one" in server.ctl("list_vhosts")
        publish(first, "again")
        assert consume(first) in {"hello", "again"}
        server.reset()
        assert [vhost["name"] for vhost in server.api("GET", "vhosts")] == ["/"]
        with pytest.raises(ServerError, match="404"):
            server.delete_vhost("second")
    finally:
        server.kill()


def test_rabbitmq_users_have_the_rights_they_were_given(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    publish(amqp_url, "secret")
    vhost = amqp_url.rpartition("/")[2]
    rabbitmq.create_user("guest-1", "pass/word")
    rabbitmq.grant("guest-1", vhost, configure="^$", write="^$", read=r"^guest\.1$")
    with pytest.raises(amqp.exceptions.AccessRefused, match="403"):
        consume(rabbitmq.url_for("guest-1", "pass/word", vhost))
    assert consume(amqp_url) == "secret"


def test_mariadb_keeps_data_over_a_kill(open_tmp: pathlib.Path) -> None:
    with MariaDBServer(open_tmp) as server:
        url = server.create_database("odd`name")
        with server.connect("odd`name") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (v VARCHAR(20))")
            cursor.execute("INSERT INTO t VALUES (%s)", ("größe",))
        server.kill()
        server.start()
        assert url.startswith("mysql+pymysql://dbflow:")
        with server.connect("odd`name") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT v, @@hostname <> '' FROM t")
            assert cursor.fetchone() == ("größe", 1)
        assert server.password not in " ".join(psutil.Process(server.pid).cmdline())
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            pymysql.connect(host="127.0.0.1", port=server.port, user="dbflow", password="wrong")


def test_mysql_url_is_an_empty_database_for_sqlalchemy(mysql_url: str) -> None:
    engine = sqlalchemy.create_engine(mysql_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()


def test_zookeeper_hosts_is_a_root_of_its_own(zookeeper_hosts: str) -> None:
    client = KazooClient(zookeeper_hosts)
    client.start(timeout=10)
    assert client.get_children("/") == []
    client.stop()


def test_a_server_that_cannot_start_says_why(open_tmp: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.zookeeper.CONFIG", "clientPort=not-a-number\n")
    server = ZooKeeper(open_tmp)
    with pytest.raises(ServerError, match=r"(?s)zookeeper ended with 2 at its start.*not-a-number"):
        server.start()
    assert not server.running


def test_a_port_taken_by_another_is_replaced_at_the_first_start(open_tmp: pathlib.Path) -> None:
    with ZooKeeper(open_tmp) as first:
        second = ZooKeeper(open_tmp / "second")
        second.ports = first.ports
        second.directory = open_tmp / "second" / "taken"
        with second:
            assert second.port != first.port
            assert second.pid != first.pid


def test_a_server_dies_with_the_process_that_started_it(open_tmp: pathlib.Path) -> None:
    script = "import pathlib, sys\nfrom tests.servers import MariaDBServer\n"
    script += "print(MariaDBServer(pathlib.Path(sys.argv[1])).start().pid)"
    done = subprocess.run(
        [sys.executable, "-c", script, str(open_tmp)], capture_output=True, text=True, check=True, timeout=60
    )
    wait_for(lambda: not psutil.pid_exists(int(done.stdout)), 10, "the orphaned server's end")

# SPDX-License-Identifier: Apache-2.0
"""tools/build-image: what boots from it is a machine with an agent, which makes a database there."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest
from openstack.connection import Connection

from dbflow import guestconfig
from dbflow.crypto import new_message_key
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.errors import GuestUnreachable
from devcloud.fabric import client, names
from tests.functional.stack import new_password
from tests.servers.devcloud import DevCloud
from tests.waiting import wait_for

KEY = new_message_key()
INSTANCE = "5f0c4b42-8f35-4f0a-9a6c-5b9a1c1f8a11"
EXCHANGE = "dbflow"
CONFIG = "/etc/dbflow/guest"
DATA = "/var/lib/dbflow/data"
MACHINE = f"""\
[machine]
address = {{address}}
data_dir = {DATA}
run_dir = /run/dbflow
log_dir = /var/log/dbflow
run_as = mysql
"""
VOLUME = (
    "mkfs.xfs -q /dev/vdb",
    f"mkdir -p {DATA}",
    f"mount /dev/vdb {DATA}",
    f"install -d -o mysql -g mysql -m 750 {DATA} /run/dbflow /var/log/dbflow",
)


@pytest.fixture
def dispatcher(amqp_url: str) -> Iterator[Dispatcher]:
    made = Dispatcher(amqp_url, EXCHANGE, "asker", lambda _: KEY)
    made.start()
    made.declare_guest(INSTANCE)
    yield made
    made.stop()


def user_data(amqp_url: str, address: str) -> str:
    """As the cloud's driver makes it, with the volume."""
    files = guestconfig.render(
        instance_id=INSTANCE, manager="mariadb", url=amqp_url, exchange=EXCHANGE, key=KEY, heartbeat_interval=30
    )
    files["machine.conf"] = MACHINE.format(address=address)
    document = {
        "write_files": [
            {"path": f"{CONFIG}/{name}", "permissions": "0600", "content": text} for name, text in files.items()
        ],
        "runcmd": [*VOLUME, ["systemctl", "enable", "--now", "--no-block", "dbflow-guest.service"]],
    }
    return base64.b64encode(f"#cloud-config\n{json.dumps(document)}".encode()).decode()


def ask(dispatcher: Dispatcher, task: str, **arguments: Any) -> Any:
    return dispatcher.call(INSTANCE, f"guest.tasks.{task}", arguments, 120)


def answers(dispatcher: Dispatcher) -> bool:
    try:
        return bool(ask(dispatcher, "status.Ping") == INSTANCE)
    except GuestUnreachable:
        return False


def make_server(dbaas: Connection, image: str, amqp_url: str) -> Any:
    """With an address and a volume of its own; 3306 is open."""
    network = dbaas.network.create_network(name="guests")
    dbaas.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.77.2.0/24")
    group = dbaas.network.create_security_group(name="guests")
    dbaas.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=3306, port_range_max=3306
    )
    port = dbaas.network.create_port(network_id=network.id, security_group_ids=[group.id])
    volume = dbaas.block_storage.create_volume(name="guest", size=1)
    dbaas.block_storage.wait_for_status(volume, "available", interval=0.2, wait=60)
    server = dbaas.compute.create_server(
        name="guest",
        flavor_id="2",
        image_id=image,
        networks=[{"port": port.id}],
        config_drive=True,
        user_data=user_data(amqp_url, port.fixed_ips[0]["ip_address"]),
        block_device_mapping_v2=[
            {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "local"},
            {"boot_index": -1, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"},
        ],
    )
    return dbaas.compute.wait_for_server(server, interval=0.2, wait=120), port


def query(port: int, password: str, statement: str) -> Any:
    login = {"user": "ann", "password": password, "database": "shop"}
    with pymysql.connect(host="127.0.0.1", port=port, **login) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_the_image_boots_to_an_agent_that_makes_a_database(
    cloud: DevCloud, guest_image: str, amqp_url: str, dispatcher: Dispatcher
) -> None:
    dbaas = cloud.openstack("dbaas")
    client.forward(cloud.directory, urlsplit(amqp_url).port or 5672)
    server, port = make_server(dbaas, guest_image, amqp_url)
    wait_for(lambda: answers(dispatcher), 120, "the agent")
    ask(dispatcher, "lifecycle.Prepare", ram=512, vcpus=1, overrides={})
    password = new_password()
    ask(dispatcher, "accounts.CreateDatabases", databases=[{"name": "shop"}])
    ask(dispatcher, "accounts.CreateUsers", users=[{"name": "ann", "password": password, "databases": ["shop"]}])
    # From the network's gateway, through the security group.
    address = port.fixed_ips[0]["ip_address"]
    outside = client.expose(cloud.directory, names.of_network(port.network_id), address, 3306)
    assert query(outside, password, "SELECT 1") == ((1,),)
    console = dbaas.compute.get_server_console_output(server)["output"]
    assert "Started dbflow-guest.service" in console
    assert not [secret for secret in (password, base64.urlsafe_b64encode(KEY).decode(), amqp_url) if secret in console]

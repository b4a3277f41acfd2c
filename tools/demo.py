# SPDX-License-Identifier: Apache-2.0
"""The demo's part that talks: create a database through the API, watch its flow, write and read a row."""

import pathlib
import secrets
import shlex
import subprocess  # nosec B404 - runs dbflow's own command and the mariadb client
import sys
import time
from typing import Any

import openstack
import pymysql

from dbflow.cmd.manage import main as dbflow_manage
from dbflow.cmd.manage import parser

NAME, DATABASE, USER = "demo", "shop", "app"


def main() -> None:
    """``demo.py STATE_DIR run|clean``"""
    state, what = pathlib.Path(sys.argv[1]), sys.argv[2]
    cloud = openstack.connection.Connection(
        config=openstack.config.OpenStackConfig(config_files=[str(state / "clouds.yaml")]).get_one("dbflow")
    ).database
    clean(cloud)
    if what == "run":
        run(cloud, state)


def clean(cloud: Any) -> None:
    """Delete the demo's instances of earlier runs, and wait until they are gone."""
    for instance in cloud.instances():
        cloud.delete_instance(instance, ignore_missing=True)
    deadline = time.monotonic() + 60
    while list(cloud.instances()):
        if time.monotonic() > deadline:
            raise SystemExit("the instances of an earlier demo are not gone after a minute")
        time.sleep(0.5)


def run(cloud: Any, state: pathlib.Path) -> None:
    """Create, watch, use."""
    flavor = next(flavor for flavor in cloud.flavors() if flavor.name == "db.tiny")
    parser()  # now, not while there is something to watch
    version = next(iter(cloud.get("/datastores/mariadb/versions").json()["versions"]))
    password = secrets.token_urlsafe(12)
    say(f"POST /instances  (MariaDB {version['version']}, {flavor.name}, 1 GB)")
    began = time.monotonic()
    answer = cloud.post(
        "/instances",
        json={
            "instance": {
                "name": NAME,
                "flavorRef": flavor.id,
                "volume": {"size": 1},
                "datastore": {"type": "mariadb", "version": version["name"]},
                "databases": [{"name": DATABASE}],
                "users": [{"name": USER, "password": password, "databases": [{"name": DATABASE}]}],
            }
        },
    )
    if answer.status_code != 200:
        raise SystemExit(f"the API answered {answer.status_code}: {answer.text}")
    operation = answer.links["operation"]["url"].rpartition("/")[2]
    manage(state, "flow", "show", "--watch", operation)
    instance = cloud.get_instance(answer.json()["instance"]["id"])
    say(f"{instance.name} is {instance.status} after {time.monotonic() - began:.1f} s")
    address = cloud.get(f"/instances/{instance.id}").json()["instance"]["ip"][0]
    use(address, password)
    manage(state, "flow", "show", operation)


def use(address: str, password: str) -> None:
    """A row written and read, and the same through the mariadb client."""
    with pymysql.connect(host=address, user=USER, password=password, database=DATABASE, autocommit=True) as server:
        cursor = server.cursor()
        cursor.execute("create table fruit (name varchar(20) primary key, price decimal(5,2))")
        cursor.execute("insert into fruit values (%s, %s)", ("apple", "0.45"))
        cursor.execute("select name, price, @@version from fruit")
        say(f"PyMySQL wrote a row and read {cursor.fetchone()}")
    command = ["mariadb", f"--host={address}", f"--user={USER}", "--table", DATABASE, "-e", "select * from fruit"]
    say(f"$ MYSQL_PWD={password} {shlex.join(command)}")
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", "MYSQL_PWD": password}, check=True)  # nosec B603


def manage(state: pathlib.Path, *arguments: str) -> None:
    """dbflow-manage in this process: by the time that a new one had started, there would be little left to watch."""
    say(f"$ dbflow-manage --state-dir {state} {shlex.join(arguments)}")
    if dbflow_manage(["--state-dir", str(state), *arguments]):
        raise SystemExit("that was not meant to happen; the log is dbflow.log in the state directory")


def say(line: str) -> None:
    """Print a paragraph at once, also into a pipe."""
    print(f"\n{line}", flush=True)


if __name__ == "__main__":
    main()

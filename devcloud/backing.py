# SPDX-License-Identifier: Apache-2.0
"""memcached, and in full mode RabbitMQ."""

import socket

from devcloud.processes import Daemon, Process, wait_for, write_atomically
from devcloud.settings import LOOPBACK, PASSWORD, Settings

RABBITMQ = """\
listeners.tcp.1 = {address}:{port}
default_user = devcloud
default_pass = {password}
loopback_users = none
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 512MB
"""


def start(settings: Settings) -> None:
    """Return when they have been started; ``wait_for_rabbitmq`` says when the slower one serves."""
    memcached = ["memcached", "-u", "root", "-l", LOOPBACK, "-p", str(settings.port("memcached"))]
    Process(settings, "memcached").start(Daemon("memcached", [*memcached, "-U", "0", "-m", "64", "-c", "4096"]))
    if settings.full:
        for daemon in _rabbitmq(settings):
            Process(settings, daemon.name).start(daemon)


def wait_for_rabbitmq(settings: Settings) -> None:
    """In compact mode there is none to wait for."""
    if settings.full:
        wait_for(lambda: _is_open(settings.port("rabbitmq")), "RabbitMQ", 60, Process(settings, "rabbitmq"))


def _rabbitmq(settings: Settings) -> tuple[Daemon, Daemon]:
    """With a name server of its own: the one that it would start itself outlives it."""
    place = settings.directory / "rabbitmq"
    place.mkdir(exist_ok=True)
    config = RABBITMQ.format(address=LOOPBACK, port=settings.port("rabbitmq"), password=PASSWORD)
    write_atomically(place / "rabbitmq.conf", config)
    (place / "plugins").write_text("[].\n")
    epmd = str(settings.port("epmd"))
    environment = {
        "HOME": str(place),
        "ERL_EPMD_PORT": epmd,
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RABBITMQ_NODENAME": "devcloud@localhost",
        "RABBITMQ_DIST_PORT": str(settings.port("rabbitmq-nodes")),
        "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
        "RABBITMQ_LOG_BASE": str(place),
        "RABBITMQ_PID_FILE": str(place / "pid"),
        # With this the script becomes the Erlang machine by exec, so that its pid is the broker's.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
        ),
    }
    return (
        Daemon("epmd", ["epmd", "-port", epmd, "-address", LOOPBACK]),
        Daemon("rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], environment),
    )


def _is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((LOOPBACK, port)) == 0

# SPDX-License-Identifier: Apache-2.0
"""Starting a cloud. What runs is left alone, so that a second call starts what has died."""

import json
import pathlib
from collections.abc import Callable

from devcloud import backing, identity, ready, seed
from devcloud.mariadb import MariaDB
from devcloud.processes import Daemon, Process, python, write_atomically
from devcloud.rest import Admin
from devcloud.schema import Schema
from devcloud.services import Service, chosen
from devcloud.services.neutron import ENTRY_POINTS
from devcloud.settings import ROOT, Settings

FILLED = "filled"
"""A file that exists once the cloud has what every new one has."""
LATE = ("nova", "designate")
"""They end at their start when Keystone does not know them."""
OPENRC = """\
export OS_CLIENT_CONFIG_FILE={directory}/clouds.yaml OS_CLOUD=admin
"""


def up(settings: Settings, say: Callable[[str], None]) -> None:
    """Return when servers and volumes can be made. processes.Failed when something does not start."""
    services = chosen(settings)
    _write(settings, services)
    backing.start(settings)
    mariadb = MariaDB(settings)
    mariadb.start()
    say("MariaDB is up")
    for service in services:
        service.prepare()
    say(Schema(settings, mariadb, services).prepare())
    backing.wait_for_rabbitmq(settings)
    if "nova" in settings.services:
        _start(settings, fabric(settings))
    early = [service for service in services if service.name not in LATE]
    for service in early:
        _start(settings, *service.daemons())
    admin = _fill_identity(settings, services)
    say("Keystone is up")
    for service in services:
        if service not in early:
            _start(settings, *service.daemons())
    for service in services[1:]:
        ready.wait_for_api(settings, service)
        say(f"{service.name.capitalize()} is up")
    _fill_cloud(settings, admin)
    ready.wait_until_usable(settings, admin)
    _write_logins(settings)


def fabric(settings: Settings) -> Daemon:
    """The process that joins servers and host."""
    return Daemon("fabric", python("devcloud.fabric.server", settings.directory))


def _start(settings: Settings, *daemons: Daemon) -> None:
    for daemon in daemons:
        Process(settings, daemon.name).start(daemon)


def _write(settings: Settings, services: list[Service]) -> None:
    """Directories and configuration, before anything runs."""
    for path in (settings.etc, settings.log, settings.run / "lock"):
        path.mkdir(parents=True, exist_ok=True)
    settings.save()
    _write_library(settings.directory / "lib")
    for service in services:
        service.etc.mkdir(exist_ok=True)
        for name, text in service.files().items():
            write_atomically(service.etc / name, text)


def _write_library(place: pathlib.Path) -> None:
    """Where Debian's Python finds this package and nothing else of the project, and Neutron its driver."""
    described = place / "devcloud-1.0.dist-info"
    described.mkdir(parents=True, exist_ok=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: devcloud\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(ENTRY_POINTS)
    link = place / "devcloud"
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "devcloud")


def _fill_identity(settings: Settings, services: list[Service]) -> Admin:
    ready.wait_for_api(settings, services[0])
    admin = Admin(settings)
    if not (settings.directory / FILLED).exists():
        identity.fill(settings, admin, services)
    return admin


def _fill_cloud(settings: Settings, admin: Admin) -> None:
    if (settings.directory / FILLED).exists():
        return
    if "nova" in settings.services:
        seed.add_flavors(admin)
    if "neutron" in settings.services:
        seed.add_network(admin)
    (settings.directory / FILLED).touch()


def _write_logins(settings: Settings) -> None:
    # JSON is YAML.
    entries = {user: identity.login(settings, user) for user in identity.CLOUDS}
    write_atomically(settings.directory / "clouds.yaml", json.dumps({"clouds": entries}, indent=1) + "\n")
    write_atomically(settings.directory / "openrc", OPENRC.format(directory=settings.directory))

# SPDX-License-Identifier: Apache-2.0
"""What a guest is told at start: ``guest.conf`` by the control plane, ``machine.conf`` by the cloud.

machine.conf has one section::

    [machine]
    address = 127.0.3.1
    port = 3306                  ; the plug-in's default_port when not given
    data_dir = /var/lib/dbflow/data
    run_dir = /run/dbflow
    log_dir = /var/log/dbflow
    run_as = mysql               ; user of the database server when the agent is root
    image_dir = /usr/share/dbflow/image
"""

import base64
import dataclasses
import pathlib

from oslo_config import cfg

from dbflow.guestconfig import BEAT_INTERVAL, GUEST_FILE, KEY_FILE
from guest.datastores.base import Machine

MACHINE_FILE = "machine.conf"

_OPTIONS = {
    "guest": [cfg.StrOpt("instance_id", required=True), cfg.StrOpt("manager", required=True)],
    "messaging": [
        cfg.StrOpt("url", required=True, secret=True),
        cfg.StrOpt("exchange", required=True),
        cfg.FloatOpt("heartbeat_interval", default=10.0, min=0.1),
        cfg.FloatOpt("beat_interval", default=BEAT_INTERVAL, min=0.05),
    ],
    "machine": [
        cfg.StrOpt("address", required=True),
        cfg.PortOpt("port"),
        cfg.StrOpt("data_dir", required=True),
        cfg.StrOpt("run_dir", required=True),
        cfg.StrOpt("log_dir", required=True),
        cfg.StrOpt("run_as"),
        cfg.StrOpt("image_dir"),
    ],
}


class BadSettings(Exception):
    """A file is missing, incomplete, or others may read the key."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """All of it."""

    instance_id: str
    manager: str
    """Name of the plug-in in the entry point group dbflow.guest.datastores."""
    url: str = dataclasses.field(repr=False)
    exchange: str
    key: bytes = dataclasses.field(repr=False)
    heartbeat_interval: float
    beat_interval: float
    address: str
    port: int | None
    data_dir: pathlib.Path
    run_dir: pathlib.Path
    log_dir: pathlib.Path
    run_as: str | None
    image_dir: pathlib.Path | None

    def machine(self, default_port: int | None) -> Machine:
        """As the plug-in sees it. BadSettings when neither machine.conf nor the plug-in has a port."""
        port = self.port or default_port
        if port is None:
            raise BadSettings(f"{MACHINE_FILE} gives no port, and the datastore {self.manager} has no default")
        return Machine(
            instance_id=self.instance_id,
            address=self.address,
            port=port,
            data_dir=self.data_dir,
            run_dir=self.run_dir,
            log_dir=self.log_dir,
            run_as=self.run_as,
            image_dir=self.image_dir,
        )


def load(directory: pathlib.Path) -> Settings:
    """Read the three files of a configuration directory. BadSettings."""
    files = [str(directory / name) for name in (GUEST_FILE, MACHINE_FILE)]
    conf = cfg.ConfigOpts()
    for group, options in _OPTIONS.items():
        conf.register_opts(options, group=group)
    try:
        conf(args=[], project="dbflow-guest", default_config_files=files, default_config_dirs=[], use_env=False)
        return _settings(conf, _read_key(directory / KEY_FILE))
    except cfg.Error as error:
        raise BadSettings(str(error)) from None


def _settings(conf: cfg.ConfigOpts, key: bytes) -> Settings:
    guest, messaging, machine = conf.guest, conf.messaging, conf.machine
    return Settings(
        instance_id=guest.instance_id,
        manager=guest.manager,
        url=messaging.url,
        exchange=messaging.exchange,
        key=key,
        heartbeat_interval=messaging.heartbeat_interval,
        beat_interval=messaging.beat_interval,
        address=machine.address,
        port=machine.port,
        data_dir=pathlib.Path(machine.data_dir),
        run_dir=pathlib.Path(machine.run_dir),
        log_dir=pathlib.Path(machine.log_dir),
        run_as=machine.run_as,
        image_dir=pathlib.Path(machine.image_dir) if machine.image_dir else None,
    )


def _read_key(path: pathlib.Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise BadSettings(f"{path} holds a key and must be readable by its owner only (mode 0600)")
        key = base64.b64decode(path.read_text().strip(), altchars=b"-_", validate=True)
    except (OSError, ValueError) as error:
        raise BadSettings(f"{path}: {type(error).__name__}") from None
    if len(key) != 32:
        raise BadSettings(f"{path} does not hold a key of 32 bytes")
    return key

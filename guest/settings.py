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
    programs = /opt/mariadb/bin  ; where the database server's programs are looked for first
    volume = 9f0d6c0e-3a6e-4b…   ; id of the disk to mount on data_dir, whatever bus it is on
    device = /dev/disk/by-id/…   ; or where it is
    blank_until = 2026-11-24T03:30:00+00:00 ; until then it is formatted when it is blank; never where it is not given
    filesystem = xfs             ; or ext4: what is made on it
"""

import base64
import configparser
import dataclasses
import datetime
import pathlib

from dbflow.guestconfig import BEAT_INTERVAL, FENCED_FILE, GUEST_FILE, KEY_FILE
from guest.attached import SERIAL
from guest.datastores.base import Machine

MACHINE_FILE = "machine.conf"
_MAX_PORT = 65535
FILE_SYSTEMS = ("xfs", "ext4")


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
    programs: pathlib.Path | None = None
    volume: str | None = None
    device: pathlib.Path | None = None
    blank_until: datetime.datetime | None = None
    filesystem: str = FILE_SYSTEMS[0]
    fenced: bool = False

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
            programs=self.programs,
            fenced=self.fenced,
        )


def load(directory: pathlib.Path) -> Settings:
    """Read the three files of a configuration directory. BadSettings."""
    files = _Files(directory)
    return Settings(
        instance_id=files.text("guest", "instance_id"),
        manager=files.text("guest", "manager"),
        url=files.text("messaging", "url"),
        exchange=files.text("messaging", "exchange"),
        key=_read_key(directory / KEY_FILE),
        heartbeat_interval=files.seconds("heartbeat_interval", 30.0),
        beat_interval=files.seconds("beat_interval", BEAT_INTERVAL),
        address=files.text("machine", "address"),
        port=files.port(),
        data_dir=files.path("data_dir"),
        run_dir=files.path("run_dir"),
        log_dir=files.path("log_dir"),
        run_as=files.optional("machine", "run_as"),
        image_dir=files.optional_path("image_dir"),
        programs=files.optional_path("programs"),
        volume=files.volume(),
        device=files.optional_path("device"),
        blank_until=files.time("blank_until"),
        filesystem=files.filesystem(),
        fenced=(directory / FENCED_FILE).exists(),
    )


class _Files:
    """guest.conf and machine.conf. The standard library's parser, since an agent's start is part of every create and
    oslo.config takes longer to be imported than all of dbflow."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._values = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        for name in (GUEST_FILE, MACHINE_FILE):
            try:
                self._values.read_string((directory / name).read_text(encoding="utf-8"))
            except (OSError, configparser.Error, UnicodeDecodeError) as error:
                # The parser's own words would show the line.
                raise BadSettings(f"{directory / name}: {type(error).__name__}") from None

    def optional(self, section: str, option: str) -> str | None:
        """None when it is not given."""
        return self._values.get(section, option, fallback=None)

    def text(self, section: str, option: str) -> str:
        """What must be given."""
        value = self.optional(section, option)
        if not value:
            raise BadSettings(f"[{section}] {option} is missing")
        return value

    def path(self, option: str) -> pathlib.Path:
        """Of the machine."""
        return pathlib.Path(self.text("machine", option))

    def optional_path(self, option: str) -> pathlib.Path | None:
        """Of the machine; None when it is not given."""
        return self.path(option) if self.optional("machine", option) else None

    def seconds(self, option: str, default: float) -> float:
        """Of the messages."""
        text = self.optional("messaging", option)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = 0.0
        if not value > 0:
            raise BadSettings(f"[messaging] {option} must be a number of seconds")
        return value

    def volume(self) -> str | None:
        """Id of the disk of the data; None when it is not given."""
        found = self.optional("machine", "volume")
        if found is not None and len(found) < SERIAL:
            raise BadSettings(f"[machine] volume must be an id of at least {SERIAL} characters")
        return found

    def time(self, option: str) -> datetime.datetime | None:
        """Of the machine, with its distance from UTC; None when it is not given."""
        text = self.optional("machine", option)
        if not text:
            return None
        try:
            found = datetime.datetime.fromisoformat(text)
        except ValueError:
            found = datetime.datetime.min
        if found.tzinfo is None:
            raise BadSettings(f"[machine] {option} must be a time with its distance from UTC, as ISO 8601 writes it")
        return found

    def filesystem(self) -> str:
        """Of a data volume."""
        found = self.optional("machine", "filesystem") or FILE_SYSTEMS[0]
        if found not in FILE_SYSTEMS:
            raise BadSettings(f"[machine] filesystem must be one of {', '.join(FILE_SYSTEMS)}")
        return found

    def port(self) -> int | None:
        """Of the database server; None when it is not given."""
        text = self.optional("machine", "port")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and int(text) <= _MAX_PORT):
            raise BadSettings("[machine] port must be a number up to 65535")
        return int(text)


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

# SPDX-License-Identifier: Apache-2.0
"""What a cloud was started with; kept in its directory, so that ``down`` and ``status`` need only that."""

import dataclasses
import json
import pathlib
from typing import Any, Self

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "devcloud"
"""What the next cloud starts faster with."""
LOOPBACK = "127.0.0.1"
REGION = "RegionOne"
PASSWORD = "devcloud"
"""Of every user, at Keystone, MariaDB and RabbitMQ."""
HOST = "devcloud1"
"""The first compute host's name; the others' end with their numbers."""
COMPACT, FULL = "compact", "full"
ALWAYS = ("keystone",)
DEFAULT_SERVICES = ("keystone", "swift", "glance", "placement", "neutron", "cinder", "nova")
SERVICES = (*DEFAULT_SERVICES, "designate")
FILE = "settings.json"
OFFSETS = {
    "keystone": 0,
    "designate": 1,
    "dns": 53,
    "swift": 80,
    "swift-object": 200,
    "swift-container": 201,
    "swift-account": 202,
    "memcached": 211,
    "glance": 292,
    "mariadb": 306,
    "mdns": 354,
    "epmd": 369,
    "rabbitmq": 672,
    "rabbitmq-nodes": 673,
    "neutron": 696,
    "nova": 774,
    "nova-metadata": 775,
    "cinder": 776,
    "placement": 778,
    "rndc": 953,
}
"""Added to the first port: the last digits are those of the usual port, where two clouds could not meet."""


class BadSettings(Exception):
    """Options that can't be, or that don't fit the cloud in the directory."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of one cloud. Two run side by side when directories and ports differ."""

    directory: pathlib.Path
    port_base: int = 21000
    mode: str = COMPACT
    """``compact``: a process a project, remote calls within it. ``full``: a process a service, RabbitMQ between."""
    computes: int = 1
    """Compute hosts; more than one in full mode only."""
    services: tuple[str, ...] = DEFAULT_SERVICES
    debug: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.services) - set(SERVICES)
        if unknown:
            raise BadSettings(f"no service {', '.join(sorted(unknown))}; there are: {', '.join(SERVICES)}")
        if set(ALWAYS) - set(self.services):
            raise BadSettings("every cloud has the service keystone")
        if "nova" in self.services and not set(DEFAULT_SERVICES) - {"swift"} <= set(self.services):
            raise BadSettings("nova needs glance, placement, neutron and cinder")
        if self.mode not in (COMPACT, FULL):
            raise BadSettings(f"no mode {self.mode}; there are: {COMPACT}, {FULL}")
        if not 1 <= self.computes <= 9:
            raise BadSettings("a cloud has one to nine compute hosts")
        if self.computes > 1 and self.mode != FULL:
            raise BadSettings("several compute hosts need the mode full")
        if not 1024 <= self.port_base <= 64000:
            raise BadSettings("ports begin at 1024 to 64000")

    @property
    def full(self) -> bool:
        return self.mode == FULL

    @property
    def hosts(self) -> list[str]:
        """Names of the compute hosts."""
        return [f"{HOST.removesuffix('1')}{number}" for number in range(1, self.computes + 1)]

    @property
    def etc(self) -> pathlib.Path:
        return self.directory / "etc"

    @property
    def run(self) -> pathlib.Path:
        return self.directory / "run"

    @property
    def log(self) -> pathlib.Path:
        return self.directory / "log"

    def port(self, name: str) -> int:
        """Of one of OFFSETS."""
        return self.port_base + OFFSETS[name]

    def url(self, name: str, path: str = "") -> str:
        return f"http://{LOOPBACK}:{self.port(name)}{path}"

    @property
    def auth_url(self) -> str:
        return self.url("keystone", "/v3")

    def database(self, name: str) -> str:
        """SQLAlchemy's URL."""
        return f"mysql+pymysql://devcloud:{PASSWORD}@{LOOPBACK}:{self.port('mariadb')}/{name}?charset=utf8"

    @property
    def transport_url(self) -> str:
        """oslo.messaging's URL."""
        return f"rabbit://devcloud:{PASSWORD}@{LOOPBACK}:{self.port('rabbitmq')}/" if self.full else "fake://"

    def save(self) -> None:
        values = dataclasses.asdict(self) | {"directory": str(self.directory)}
        (self.directory / FILE).write_text(json.dumps(values, indent=1) + "\n")

    @staticmethod
    def exist(directory: pathlib.Path) -> bool:
        """Whether there is a cloud in a directory."""
        return (directory / FILE).exists()

    @classmethod
    def load(cls, directory: pathlib.Path) -> Self:
        """Of the cloud in a directory. BadSettings when there is none."""
        try:
            values = json.loads((directory / FILE).read_text())
        except FileNotFoundError:
            raise BadSettings(f"there is no devcloud in {directory}") from None
        return cls(**values | {"directory": directory, "services": tuple(values["services"])})

    @classmethod
    def choose(cls, directory: pathlib.Path, wishes: dict[str, Any]) -> Self:
        """Those of the cloud in a directory, which wishes may not change, or those of a new one."""
        if not cls.exist(directory):
            return cls(directory, **wishes)
        found = cls.load(directory)
        changed = [name for name, value in wishes.items() if getattr(found, name) != value]
        if changed:
            raise BadSettings(f"the cloud in {directory} was made with another {', '.join(changed)}: purge it first")
        return found

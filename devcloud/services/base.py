# SPDX-License-Identifier: Apache-2.0
"""What the start of a cloud needs to know of each service."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from devcloud.processes import Daemon
from devcloud.settings import Settings

PASTE = pathlib.Path(__file__).resolve().parents[1] / "paste"
"""The services' pipelines: Debian ships them in packages that bring hundreds of others."""


class Service:
    """One OpenStack project."""

    name: ClassVar[str]
    databases: ClassVar[tuple[str, ...]] = ()
    catalog: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Name -> type and path of what is offered in Keystone's catalog."""
    probe: ClassVar[str] = "/"
    """What is asked for to see whether it serves."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.etc = settings.etc / self.name

    def files(self) -> Mapping[str, str]:
        """Name below etc/NAME -> text."""
        return {}

    def migrations(self) -> Sequence[Sequence[str]]:
        """Commands that fill its empty databases, in order."""
        return ()

    def statements(self) -> Sequence[str]:
        """SQL for databases that have just been filled."""
        return ()

    def prepare(self) -> None:
        """What its processes need besides files; called at every start."""

    def daemons(self) -> Sequence[Daemon]:
        """Its processes; the last one serves its API."""
        return ()

    @property
    def paste(self) -> pathlib.Path:
        return PASTE / f"{self.name}.ini"

    @property
    def url(self) -> str:
        return self.settings.url(self.name, self.probe)

    def config_file(self, name: str) -> tuple[str, str]:
        """Arguments of its programs."""
        return "--config-file", str(self.etc / name)


def uwsgi(settings: Settings, name: str, script: str, environment: Mapping[str, str]) -> Daemon:
    """A WSGI application of one process and eight threads."""
    argv = ["uwsgi_python3", "--need-app", "--die-on-term", "--master", "--processes", "1", "--threads", "8"]
    argv += ["--enable-threads", "--http-socket", f"127.0.0.1:{settings.port(name)}", "--buffer-size", "65535"]
    argv += ["--add-header", "Connection: close", "--wsgi-file", script, "--disable-logging", "--so-keepalive"]
    argv += ["--thunder-lock", "--procname-prefix-spaced", f"devcloud-{name}"]
    return Daemon(name, argv, environment)

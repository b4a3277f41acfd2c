# SPDX-License-Identifier: Apache-2.0
"""A dbflow-standalone of the benchmark's own, and a client of it."""

import contextlib
import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import types
from typing import Any, Self

import psutil
from oslo_config import cfg

from dbflow.cloud.local import LocalCloud
from dbflow.conf import register
from tests.servers.ports import LOOPBACK, free_ports
from tests.waiting import wait_for

SETTINGS = """\
[api]
http_get_rate = 1000000
http_post_rate = 1000000
http_delete_rate = 1000000
[quota]
max_instances_per_tenant = -1
max_volumes_per_tenant = -1
"""
"""What keeps a benchmark from being one is out of its way."""
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0


class ApiError(Exception):
    """An answer that was not expected."""


class Client:
    """One kept connection to an API, with a token."""

    def __init__(self, port: int, project: str, token: str) -> None:
        self.port, self._base, self._token = port, f"/v1.0/{project}", token
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=90)

    def call(self, method: str, path: str, body: Any = None) -> tuple[Any, http.client.HTTPMessage]:
        """(decoded body, headers). LookupError for 404, ApiError for other refusals."""
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        self._connection.request(method, self._base + path, data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status == 404:
            raise LookupError(path)
        if answer.status >= 300:
            raise ApiError(f"{method} {path}: {answer.status} {text.decode(errors='replace')[:300]}")
        return (json.loads(text) if text else None), answer.headers


class Standalone:
    """Started on a state directory in ``base``; at the end every instance is gone, whatever happened."""

    def __init__(self, base: pathlib.Path) -> None:
        self.state_dir = base / "state"
        self.port, objects = free_ports(2)
        self._output = base / "output"
        self._settings = base / "settings.conf"
        self._settings.write_text(f"{SETTINGS}[object_store]\nbind_port = {objects}\n")

    def __enter__(self) -> Self:
        argv = [sys.executable, "-c", "import sys; from dbflow.cmd.standalone import main; sys.exit(main())"]
        argv += ["--state-dir", str(self.state_dir), "--port", str(self.port), "--config-file", str(self._settings)]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            wait_for(self._ready, START_TIMEOUT, "dbflow-standalone to be ready")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        self._end()

    def client(self) -> Client:
        """As the user of ``clouds.yaml``."""
        auth = json.loads((self.state_dir / "clouds.yaml").read_text())["clouds"]["dbflow"]["auth"]
        return Client(self.port, auth["endpoint"].rpartition("/")[2], auth["token"])

    def image_is_ready(self) -> bool:
        """Whether the prepared data directory that new instances are copied from is complete."""
        return self._image.is_dir()

    def remove_image(self) -> None:
        """So that the next instances are installed from scratch."""
        shutil.rmtree(self._image)

    @property
    def _image(self) -> pathlib.Path:
        return self.state_dir / "cloud" / "images" / "mariadb"

    def processor_time(self) -> float:
        """Seconds that the control plane and all that it started have used so far, ended children included."""
        control_plane = psutil.Process(self._process.pid)
        used = 0.0
        for process in (control_plane, *control_plane.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                used += sum(process.cpu_times()[:4])
        return used

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"dbflow-standalone ended: {self._output.read_text()}")
        return "ready:" in self._output.read_text()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not (self.state_dir / "cloud").exists():
            return
        conf = register(cfg.ConfigOpts())
        conf([], project="dbflow", default_config_files=[])
        conf.set_override("state_dir", str(self.state_dir / "cloud"), group="local_cloud")
        cloud = LocalCloud(conf)
        for instance_id in cloud.inventory()["servers"]:
            cloud.servers.delete(instance_id)

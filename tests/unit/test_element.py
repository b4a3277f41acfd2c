# SPDX-License-Identifier: Apache-2.0
"""The element of diskimage-builder: its hooks, run as the builder runs them."""

import configparser
import os
import pathlib
import re
import stat
import subprocess

import yaml

from dbflow.conf import openstack

ROOT = pathlib.Path(__file__).parents[2]
ELEMENT = ROOT / "elements/dbflow-guest"
PYTHON = """\
#!/bin/sh
echo "$0 $*" >>{log}
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
"""


def _run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], **environment}
    command = [str(ELEMENT / script)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)


def test_the_source_is_brought_in_as_it_is_committed(tmp_path: pathlib.Path) -> None:
    done = _run("extra-data.d/50-dbflow-guest", TMP_HOOKS_PATH=str(tmp_path), DIB_DBFLOW_SOURCE=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dbflow/setup.cfg").exists()
    assert not (tmp_path / "dbflow/.git").exists()


def test_a_source_must_be_named(tmp_path: pathlib.Path) -> None:
    done = _run("extra-data.d/50-dbflow-guest", TMP_HOOKS_PATH=str(tmp_path))
    assert done.returncode != 0
    assert "DIB_DBFLOW_SOURCE" in done.stderr


def test_the_agent_is_installed_and_does_not_start_by_itself(tmp_path: pathlib.Path) -> None:
    log, programs, root, source = tmp_path / "log", tmp_path / "bin", tmp_path / "root", tmp_path / "dbflow"
    assert (
        _run("extra-data.d/50-dbflow-guest", TMP_HOOKS_PATH=str(tmp_path), DIB_DBFLOW_SOURCE=str(ROOT)).returncode == 0
    )
    programs.mkdir()
    (programs / "python3").write_text(PYTHON.format(log=log))
    (programs / "python3").chmod(0o755)
    done = _run(
        "install.d/60-dbflow-guest",
        PATH=f"{programs}:{os.environ['PATH']}",
        DIB_DBFLOW_IN_TARGET=str(source),
        DIB_DBFLOW_ROOT=str(root),
    )
    assert done.returncode == 0, done.stderr
    venv, requirements, itself = log.read_text().splitlines()
    assert venv.endswith(f"-m venv {root}/opt/dbflow")
    assert f"-c {source}/tools/constraints.txt" in requirements
    assert f"-r {source}/tools/guest.txt" in requirements
    assert "--no-deps" in itself
    # The builder shows the source read-only, and a build writes beside it.
    build = pathlib.Path(itself.split()[-1])
    assert build != source
    assert not build.exists()
    assert os.readlink(root / "usr/bin/dbflow-guest") == "/opt/dbflow/bin/dbflow-guest"
    unit = configparser.RawConfigParser(strict=False)
    unit.read(root / "etc/systemd/system/dbflow-guest.service")
    assert unit["Service"]["ExecStart"].split()[0] == "/usr/bin/dbflow-guest"
    assert unit["Service"]["ExecStart"].split()[-1] == "/etc/dbflow/guest"
    assert stat.S_IMODE((root / "etc/dbflow/guest").stat().st_mode) == 0o700
    for unit in ("mariadb.service", "mariadb.socket"):
        assert os.readlink(root / "etc/systemd/system" / unit) == "/dev/null"
    assert not list(root.glob("etc/systemd/system/*.wants/*"))


def test_each_file_system_can_be_made() -> None:
    packages = set(yaml.safe_load((ELEMENT / "package-installs.yaml").read_text()))
    (option,) = (option for option in openstack.OPTS if option.dest == "filesystem")
    makers = {"xfs": "xfsprogs", "ext4": "e2fsprogs"}
    assert {makers[name] for name in option.type.choices} <= packages


def test_requirements_of_a_guest_are_dbflows() -> None:
    setup = configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg")
    own = {re.split(r"[<>=]", line)[0] for line in setup["options"]["install_requires"].split()}
    names = [line for line in (ROOT / "tools/guest.txt").read_text().split("\n") if line and not line.startswith("#")]
    assert names
    assert set(names) <= own

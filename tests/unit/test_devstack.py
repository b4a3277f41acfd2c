# SPDX-License-Identifier: Apache-2.0
"""The DevStack plugin, with DevStack's own functions in the place of which others only note that they were called."""

import dataclasses
import pathlib
import subprocess

import pytest

from dbflow import conf
from dbflow.cmd.manage import parser
from dbflow.conf.openstack import list_login

ROOT = pathlib.Path(__file__).parents[2]
PLUGIN = ROOT / "devstack/plugin.sh"
NOTED = (
    "define_plugin enable_service install_package setup_develop pip_install iniset recreate_database echo_summary "
    "run_process stop_process wait_for_service start_tls_proxy sudo configure_keystone_authtoken_middleware"
)
DEVSTACK = """\
set -euo pipefail
for name in {noted}; do eval "$name() {{ echo $name \\"\\$*\\" >>{log}; }}"; done
die() {{ echo die "$*" >>{log}; exit 1; }}
is_ubuntu() {{ [[ $DISTRO != rhel* ]]; }}
ipv6_unquote() {{ echo "$1" | tr -d '[]'; }}
is_service_enabled() {{ [[ " {enabled} " == *" $1 "* ]]; }}
database_connection_url() {{ echo "mysql+pymysql://root:secret@127.0.0.1/$1?charset=utf8&plugin=dbcounter"; }}
python3.99() {{ echo "python3.99 $*" >>{log}; }}
iniget() {{ echo "$3-of-$2"; }}
DEST={here}/dest DATA_DIR={here}/data DBFLOW_CONF_DIR={here} STACK_USER=stack REGION_NAME=RegionOne
SERVICE_PROTOCOL=http SERVICE_HOST=192.0.2.1 SERVICE_LISTEN_ADDRESS=0.0.0.0 SERVICE_TIMEOUT=60
PYTHON3_VERSION=3.99 OFFLINE=False DISTRO=noble MYSQL_SERVICE_NAME=mysql SSL_BUNDLE_FILE={here}/ca-bundle.pem
SERVICE_PASSWORD=service-secret SERVICE_PROJECT_NAME=service KEYSTONE_SERVICE_URI=http://192.0.2.1/identity
RABBIT_USERID=stackrabbit RABBIT_PASSWORD=rabbit-secret RABBIT_HOST=192.0.2.1
{settings}
source {root}/devstack/settings
set -x
source {root}/devstack/plugin.sh {mode}
"""


@dataclasses.dataclass
class Stack:
    """A machine of DevStack's."""

    here: pathlib.Path
    enabled: str = "dbflow-api dbflow-conductor"
    settings: str = ""

    def run(self, mode: str, *, dies: bool = False) -> list[str]:
        """What was called, a line each."""
        log, programs = self.here / "log", self.here / "dest/dbflow-venv/bin"
        log.write_text("")
        programs.mkdir(parents=True, exist_ok=True)
        for name in ("dbflow-manage", "python"):
            program = programs / name
            program.write_text(f'#!/bin/sh\necho "{name} ${{OS_CLOUD:-}}: $*" >>{log}\n')
            program.chmod(0o755)
        script = DEVSTACK.format(
            noted=NOTED, log=log, enabled=self.enabled, here=self.here, settings=self.settings, root=ROOT, mode=mode
        )
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == int(dies), done.stderr
        # DevStack shows each command that it runs.
        assert "secret" not in done.stdout + done.stderr
        return log.read_text().splitlines()

    def options(self) -> dict[tuple[str, str], str]:
        """(group, option) -> value, of dbflow.conf."""
        words = [line.split(" ", 4) for line in self.run("stack post-config") if line.startswith("iniset ")]
        assert {word[1] for word in words} == {str(self.here / "dbflow.conf")}
        return {(word[2], word[3]): word[4] for word in words}


@pytest.fixture
def stack(tmp_path: pathlib.Path) -> Stack:
    return Stack(tmp_path)


@pytest.mark.parametrize("script", ["devstack/plugin.sh", "devstack/settings", *ROOT.glob("elements/*/*.d/*")], ids=str)
def test_shellcheck(script: str | pathlib.Path) -> None:
    done = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_install(stack: Stack) -> None:
    calls = stack.run("stack install")
    assert "install_package zookeeperd" in calls
    assert not any("mariadb" in call for call in calls)
    stack.settings = "DBFLOW_ZOOKEEPER=zk1:2181,zk2:2181 DISTRO=rhel10"
    assert not any(call.startswith("install_package") for call in stack.run("stack install"))
    assert stack.options()["coordination", "hosts"] == "zk1:2181,zk2:2181"


def test_a_zookeeper_must_be_named_where_none_can_be_installed(stack: Stack) -> None:
    stack.settings = "DISTRO=rhel10"
    assert "DBFLOW_ZOOKEEPER" in stack.run("stack install", dies=True)[-1]


def test_mariadb_is_not_installed_over_mysql(stack: Stack) -> None:
    stack.settings = "DBFLOW_CLOUD_DRIVER=local"
    calls = stack.run("stack install", dies=True)
    assert "MYSQL_SERVICE_NAME" in calls[-1]
    assert not any("mariadb-backup" in call for call in calls)
    stack.settings += " MYSQL_SERVICE_NAME=mariadb"
    assert any("mariadb-backup" in call for call in stack.run("stack install"))


def test_it_has_an_environment_of_its_own(stack: Stack) -> None:
    # DevStack's functions install what the constraints of OpenStack's release allow, which dbflow's versions are not.
    source = f"{stack.here}/dest/dbflow"
    calls = [call for call in stack.run("stack install") if not call.startswith(("define", "enable", "echo_"))]
    pip = f"python : -m pip install --disable-pip-version-check -c {source}/tools/constraints.txt"
    assert calls[1:] == [
        f"python3.99 -m venv {source}-venv",
        f"{pip} setuptools",
        f"{pip} --no-build-isolation -e {source}[memcached]",
    ]
    stack.settings = "OFFLINE=True"
    assert not [call for call in stack.run("stack install") if call.startswith("python")]


@pytest.mark.parametrize("driver", ["openstack", "local"])
def test_configuration(stack: Stack, driver: str) -> None:
    stack.settings = f"DBFLOW_CLOUD_DRIVER={driver} DBFLOW_NETWORK_ID=net-1"
    options = stack.options()
    known = {(group, option.dest) for group, found in [*conf.list_opts(), *list_login()] for option in found}
    assert set(options) <= known
    assert options["cloud", "driver"] == driver
    assert options["messaging", "url"] == "amqp://stackrabbit:rabbit-secret@192.0.2.1:5672/dbflow"
    assert options["database", "connection"] == "mysql+pymysql://root:secret@127.0.0.1/dbflow"
    assert options["coordination", "hosts"] == "192.0.2.1:2181"
    assert options["object_store", "directory"] == f"{stack.here}/data/dbflow/objects"
    # Other machines are to reach both.
    assert options["object_store", "url"] == "http://192.0.2.1:8780"
    assert (options["api", "bind_host"], options["object_store", "bind_host"]) == ("0.0.0.0", "0.0.0.0")
    assert ("openstack", "cafile") not in options
    assert (stack.here / "dbflow.conf").stat().st_mode & 0o777 == 0o600
    if driver == "openstack":
        assert options["openstack", "username"] == "username-of-keystone_authtoken"
        assert options["openstack", "networks"] == "net-1"
    else:
        assert not [group for group, _ in options if group == "openstack"]


def test_configuration_with_swift(stack: Stack) -> None:
    stack.enabled += " s-proxy"
    options = stack.options()
    assert options["object_store", "driver"] == "swift"
    assert options["object_store", "swift_auth_url"] == "http://192.0.2.1/identity/v3"
    assert "configure_keystone_authtoken_middleware" in " ".join(stack.run("stack post-config"))


def test_apache_ends_tls_before_the_api(stack: Stack) -> None:
    stack.enabled += " s-proxy tls-proxy"
    options = stack.options()
    assert options["api", "public_endpoint"] == "https://192.0.2.1:8779"
    assert (options["api", "bind_host"], options["api", "bind_port"]) == ("127.0.0.1", "18779")
    assert options["openstack", "cafile"] == "cafile-of-keystone_authtoken"
    assert options["object_store", "swift_cafile"] == f"{stack.here}/ca-bundle.pem"
    calls = stack.run("stack extra")
    assert "start_tls_proxy dbflow-api * 8779 127.0.0.1 18779" in calls
    assert "wait_for_service 60 https://192.0.2.1:8779/healthcheck?only=" in calls
    assert any("--public-url https://192.0.2.1:8779" in call for call in calls)


def test_an_address_of_ipv6(stack: Stack) -> None:
    stack.settings = "SERVICE_LISTEN_ADDRESS=[::] SERVICE_HOST=[2001:db8::1]"
    options = stack.options()
    assert options["api", "bind_host"] == "::"
    assert options["api", "public_endpoint"] == "http://[2001:db8::1]:8779"


def test_extra(stack: Stack) -> None:
    stack.settings = "DBFLOW_IMAGE_ID=image-1"
    calls = stack.run("stack extra")
    managed = [call.partition(": ")[2].split() for call in calls if call.startswith("dbflow-manage")]
    for arguments in managed:
        parser().parse_args(arguments)
    verbs = [" ".join(arguments[2:4]) for arguments in managed]
    assert verbs == ["key generate", "db sync", "keystone register", "datastore-version create"]
    assert "--image image-1" in " ".join(managed[-1])
    assert any(call.startswith("dbflow-manage devstack-admin: ") and "keystone register" in call for call in calls)
    started = [call.split()[1] for call in calls if call.startswith("run_process")]
    assert started == ["dbflow-api", "dbflow-conductor", "dbflow-objects"]
    assert calls.index("recreate_database dbflow") < calls.index(next(call for call in calls if "db sync" in call))
    assert "python : - 192.0.2.1:2181" in calls  # which clears the board
    assert not any(call.startswith("start_tls_proxy") for call in calls)
    (stack.here / "keys").touch()
    stack.enabled += " s-proxy"
    again = stack.run("stack extra")
    assert not any("key generate" in call for call in again)
    assert not any(call.startswith("run_process dbflow-objects") for call in again)


def test_unstack_and_clean(stack: Stack) -> None:
    stopped = [call for call in stack.run("unstack") if call.startswith("stop_process")]
    assert stopped == ["stop_process dbflow-api", "stop_process dbflow-conductor", "stop_process dbflow-objects"]
    calls = stack.run("clean")
    assert "python : - 192.0.2.1:2181" in calls
    assert f"sudo rm -rf {stack.here} {stack.here}/data/dbflow {stack.here}/dest/dbflow-venv" in calls


def test_where_it_is_not_enabled_nothing_happens(stack: Stack) -> None:
    stack.enabled = "key n-api"
    for mode in ("stack install", "stack post-config", "stack extra", "unstack", "clean"):
        calls = stack.run(mode)
        assert [call for call in calls if not call.startswith(("define_plugin", "enable_service"))] == []

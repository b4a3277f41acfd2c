# SPDX-License-Identifier: Apache-2.0
"""What is in etc/ fits the code."""

import configparser
import logging.config
import pathlib
import re
import shlex

import pytest
from oslo_config import cfg
from oslo_config import generator as config_generator
from oslo_policy import generator as policy_generator

from dbflow.conf import register

ETC = pathlib.Path(__file__).parents[2] / "etc"
UNITS = sorted(ETC.glob("systemd/*.service"))
STALE = "is not what the code says: run tools/samples.sh and commit"


def test_dbflow_conf_sample_is_up_to_date(tmp_path: pathlib.Path) -> None:
    made = tmp_path / "dbflow.conf.sample"
    config_generator.main(["--config-file", str(ETC / "oslo-config-generator.conf"), "--output-file", str(made)])
    assert made.read_text() == (ETC / "dbflow/dbflow.conf.sample").read_text(), f"dbflow.conf.sample {STALE}"


def test_policy_sample_is_up_to_date(tmp_path: pathlib.Path) -> None:
    made = tmp_path / "policy.yaml.sample"
    policy_generator.generate_sample(
        ["--config-file", str(ETC / "oslo-policy-generator.conf"), "--output-file", str(made)]
    )
    assert made.read_text() == (ETC / "dbflow/policy.yaml.sample").read_text(), f"policy.yaml.sample {STALE}"


def test_logging_sample_can_be_loaded() -> None:
    parsed = configparser.RawConfigParser()
    parsed.read(ETC / "dbflow/logging.conf.sample")
    names = [name.strip() for name in parsed["loggers"]["keys"].split(",")]
    assert {f"logger_{name}" for name in names} <= set(parsed.sections())
    for name in names:
        logger = parsed[f"logger_{name}"]
        assert logger["level"] in logging.getLevelNamesMapping()
        assert name in (logger.get("qualname"), "root")


def _service(unit: pathlib.Path) -> configparser.SectionProxy:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str
    parsed.read(unit)
    return parsed["Service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_start_commands_that_exist(unit: pathlib.Path) -> None:
    command = pathlib.Path(shlex.split(_service(unit)["ExecStart"])[0]).name
    setup = configparser.RawConfigParser()
    setup.read(ETC.parent / "setup.cfg")
    scripts = setup["options.entry_points"]["console_scripts"].split()
    assert command == unit.stem
    assert command in scripts


@pytest.mark.parametrize("name", ["dbflow-api", "dbflow-conductor", "dbflow-objects"])
def test_units_may_write_where_their_services_do(name: str) -> None:
    service = _service(ETC / f"systemd/{name}.service")
    assert service["ProtectSystem"] == "strict"
    # Objects: the API publishes and removes logs of databases, conductors remove backups.
    objects = register(cfg.ConfigOpts())
    objects([], default_config_files=[])
    assert f"/var/lib/{service['StateDirectory']}" == objects.object_store.directory
    rotated = re.findall(r"^(/.*)/\*\.log \{$", (ETC / "logrotate.d/dbflow").read_text(), re.MULTILINE)
    assert [f"/var/log/{service['LogsDirectory']}"] == rotated


@pytest.mark.parametrize("name", ["dbflow-api", "dbflow-guest", "dbflow-standalone"])
def test_a_child_that_is_killed_for_its_memory_does_not_end_its_service(name: str) -> None:
    # systemd stops the unit unless it says so; each of these starts such a child anew.
    assert _service(ETC / f"systemd/{name}.service")["OOMPolicy"] == "continue"

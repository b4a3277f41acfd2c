# SPDX-License-Identifier: Apache-2.0
"""The documentation builds without a warning and draws every flow; the README is right reStructuredText."""

import pathlib
import subprocess
import sys

import docutils.core
import docutils.utils

from dbflow.operations import catalog

ROOT = pathlib.Path(__file__).parents[2]


def test_docs_build_and_draw_every_flow(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-d", str(tmp_path / "cache")]
    built = subprocess.run(
        [*command, str(ROOT / "doc/source"), str(tmp_path / "pages")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "pages/flows.html").read_text()
    for kind in catalog().kinds():
        assert f'id="graph-{kind.name.replace(".", "-").replace("_", "-")}"' in page
        assert kind.title in page


def test_readme_is_well_formed() -> None:
    docutils.core.publish_string(
        (ROOT / "README.rst").read_text(), writer_name="null", settings_overrides={"halt_level": 2, "report_level": 5}
    )


def test_release_notes_are_found() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "reno.main", "lint"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert listed.returncode == 0, listed.stderr

# SPDX-License-Identifier: Apache-2.0
"""The project's own commands."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SUITE = '<testsuites><testsuite name="pytest" tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    ("suites", "line"),
    [
        ([(10, 0, 0, 0), (5, 0, 0, 0)], "15 passed, 0 failed"),
        ([(10, 2, 1, 0), (0, 0, 0, 0)], "7 passed, 3 failed"),
        ([(10, 0, 0, 4)], "6 passed, 0 failed, 4 skipped"),
        ([], "0 passed, 0 failed"),
    ],
)
def test_count_tests_sums_up_suites(tmp_path: pathlib.Path, suites: list[tuple[int, ...]], line: str) -> None:
    paths = [tmp_path / f"{number}.xml" for number in range(len(suites))]
    for path, numbers in zip(paths, suites, strict=True):
        path.write_text(SUITE.format(*numbers))
    # The shell hands over its pattern as it is when no suite wrote a file.
    done = run(sys.executable, "tools/count_tests.py", *map(str, paths), str(tmp_path / "*.xml"))
    assert (done.returncode, done.stdout) == (0, line + "\n"), done.stderr


def test_an_unknown_suite_is_refused_before_anything_is_installed() -> None:
    done = run("bash", "tools/test.sh", "unit", "nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("no suite nonsense; there are: lint unit ")
    assert done.stdout == ""


def test_missing_packages_are_those_not_fully_installed(tmp_path: pathlib.Path) -> None:
    fake = tmp_path / "dpkg-query"
    fake.write_text(
        "#!/bin/sh\ncase $4 in\n  here) printf installed ;;\n  removed) printf config-files ;;\n  *) exit 1 ;;\nesac\n"
    )
    fake.chmod(0o755)
    script = f"PATH={tmp_path}:$PATH; source tools/lib.sh; missing_packages here removed unknown"
    assert run("bash", "-c", script).stdout.split() == ["removed", "unknown"]

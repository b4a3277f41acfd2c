# SPDX-License-Identifier: Apache-2.0
"""Sum up JUnit XML files, given as arguments, in one line: ``N passed, M failed`` (and ``, K skipped`` if any)."""

import pathlib
import sys
from collections import Counter

from defusedxml import ElementTree


def counts(path: pathlib.Path) -> Counter[str]:
    """What became of the tests of one file; an error in a fixture is a failure."""
    total: Counter[str] = Counter()
    for suite in ElementTree.parse(path).iter("testsuite"):
        number = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        total.update(passed=number["tests"] - failed - number["skipped"], failed=failed, skipped=number["skipped"])
    return total


def main(arguments: list[str]) -> None:
    total: Counter[str] = Counter()
    for name in arguments:
        path = pathlib.Path(name)
        if path.exists():
            total += counts(path)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")


if __name__ == "__main__":
    main(sys.argv[1:])

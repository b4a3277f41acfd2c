# SPDX-License-Identifier: Apache-2.0
"""What a fault command found."""

import dataclasses
import json


@dataclasses.dataclass
class Outcome:
    """So many things were tried, so many went as they must, and what was wrong with the others."""

    tried: int = 0
    passed: int = 0
    violations: list[str] = dataclasses.field(default_factory=list)
    figures: dict[str, object] = dataclasses.field(default_factory=dict)
    """What was measured."""

    @property
    def good(self) -> bool:
        """Whether something was tried, and all of it passed."""
        return 0 < self.tried == self.passed and not self.violations

    def json(self) -> str:
        """The last line of every command."""
        named = {"tried": self.tried, "passed": self.passed, "violations": self.violations}
        return json.dumps(named | self.figures)

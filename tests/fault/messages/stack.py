# SPDX-License-Identifier: Apache-2.0
"""dbflow-standalone whose broker disturbs messages."""

import dataclasses
import json
import pathlib
import sys

from tests.fault.messages.disturbed import Weather
from tests.functional.stack import EmbeddedStack
from tests.functional.stack.base import Settings

_REPOSITORY = pathlib.Path(__file__).parents[3]


class DisturbedStack(EmbeddedStack):
    """Otherwise like any other."""

    def __init__(self, images: pathlib.Path, weather: Weather, settings: Settings | None = None) -> None:
        self._weather = weather
        super().__init__(images, settings)

    @property
    def command(self) -> list[str]:
        weather = json.dumps(dataclasses.asdict(self._weather))
        module = ["-m", "tests.fault.messages.standalone"]
        return ["/usr/bin/env", f"PYTHONPATH={_REPOSITORY}", sys.executable, *module, weather, str(self._report)]

    @property
    def _report(self) -> pathlib.Path:
        return self.directory / "disturbed.json"

    def counts(self) -> dict[str, int]:
        """What was done to messages -> to how many; stops the stack."""
        self.close()
        found: dict[str, int] = json.loads(self._report.read_text())
        return found

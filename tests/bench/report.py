# SPDX-License-Identifier: Apache-2.0
"""What every benchmark ends with: a table for people, and one line of JSON for programs."""

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence


def median(values: Sequence[float]) -> float:
    """Of at least one value."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below ``percent`` per cent of them; of at least one value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def machine() -> str:
    """Processors, and how busy others keep them; wall-clock figures are worth no more than this line allows."""
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{os.cpu_count()} processors, load average {loads} (whatever else runs on this machine counts)"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Left-aligned names, right-aligned numbers; floats to three significant digits."""
    lines = [list(columns), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        first, *rest = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def print_json(figures: Mapping[str, object]) -> None:
    """The last line of a run; floats rounded to four significant digits."""
    rounded = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figures.items()}
    print(f"\n{json.dumps(rounded)}", flush=True)


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)

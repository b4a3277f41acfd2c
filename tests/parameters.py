# SPDX-License-Identifier: Apache-2.0
"""dbflow's lists of what users may set, beside what a running server says of itself."""

from collections.abc import Iterable, Sequence
from typing import Any

from dbflow.datastores.parameters import Parameter

QUERY = (
    "SELECT VARIABLE_NAME, VARIABLE_TYPE, READ_ONLY, NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, ENUM_VALUE_LIST"
    " FROM information_schema.SYSTEM_VARIABLES"
)
_OTHERS = {"BOOLEAN": "boolean", "DOUBLE": "float"}


def must_be_right(parameters: Sequence[Parameter], rows: Iterable[Sequence[Any]]) -> None:
    """AssertionError with the name of a parameter of which the server's answer to QUERY says something else."""
    known = {str(row[0]).lower(): row[1:] for row in rows}
    assert len(parameters) >= 100
    for one in parameters:
        kind, read_only, low, high, words = known[one.name]
        assert one.type == _OTHERS.get(kind, "integer" if "INT" in kind else "string"), one.name
        assert one.restart_required == (read_only == "YES"), one.name
        if one.min is not None and one.max is not None:
            assert float(low) <= one.min <= one.max <= float(high), one.name
        if kind in {"ENUM", "SET"} and words:
            assert set(one.words) <= set(words.split(",")), one.name

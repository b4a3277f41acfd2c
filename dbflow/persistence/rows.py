# SPDX-License-Identifier: Apache-2.0
"""TaskFlow's detail objects to rows and back."""

from collections.abc import Mapping
from typing import Any

from taskflow.persistence import models
from taskflow.types import failure as failures

from dbflow.crypto import Keyring

_SEALED = ("results", "failure", "revert_results", "revert_failure")


def atom_row(atom: models.AtomDetail, keyring: Keyring) -> dict[str, Any]:
    """The columns of ATOMS that a save writes, with ``uuid``."""
    row: dict[str, Any] = atom.to_dict()
    for column in _SEALED:
        if row[column] is not None:
            row[column] = keyring.seal(row[column])
    row["meta"] = row["meta"] or {}
    row["version"] = ".".join(map(str, row["version"])) if isinstance(row["version"], tuple | list) else row["version"]
    return row


def atom_detail(row: Mapping[str, Any], keyring: Keyring) -> models.AtomDetail:
    """What :func:`atom_row` was given."""
    data = dict(row)
    for column in _SEALED:
        if data[column] is not None:
            data[column] = keyring.unseal(data[column])
    return models.atom_detail_class(row["atom_type"]).from_dict(data)


def failure_text(failure: failures.Failure | None) -> str | None:
    """One line for people: the exception's own words, or its type where it has none."""
    if failure is None:
        return None
    words = (failure.exception_str or "").strip()
    return words or next(iter(failure), "failed").rpartition(".")[2]

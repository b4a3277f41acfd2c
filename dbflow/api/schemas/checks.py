# SPDX-License-Identifier: Apache-2.0
"""Validators of schemas, each made once: schemas are constants, so they are known by their identity."""

import jsonschema
from jsonschema.protocols import Validator

from dbflow.api.schemas.common import Schema

_VALIDATORS: dict[int, Validator] = {}


def validator(schema: Schema) -> Validator:
    """Of a schema that lives as long as the process."""
    made = _VALIDATORS.get(id(schema))
    if made is None:
        made = _VALIDATORS[id(schema)] = jsonschema.Draft4Validator(schema)
    return made

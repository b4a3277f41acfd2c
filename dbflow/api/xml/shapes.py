# SPDX-License-Identifier: Apache-2.0
"""What a schema (JSON Schema draft 4) says that a value may be."""

from collections.abc import Mapping
from typing import Any

from dbflow.api.schemas.checks import validator
from dbflow.api.schemas.common import Schema

OPEN = "open"
"""The schema says nothing of the type."""
ANY: Schema = {}
"""The one schema that says nothing: what is remembered of schemas is remembered by their identity."""
Shape = tuple[str, Schema]
"""(type, the schema of a value of that type); null is none, since it is always said."""

_KNOWN: dict[int, tuple[Schema, list[Shape]]] = {}
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def kind_of(value: Any) -> str:
    """JSON Schema's word for the type of a value."""
    return _TYPES.get(type(value), "null")


def shapes(schema: Schema) -> list[Shape]:
    """In the order in which they are tried; remembered with the schema, so that no other one gets its identity."""
    known = _KNOWN.get(id(schema))
    if known is None:
        known = _KNOWN[id(schema)] = (schema, _shapes(schema) or [(OPEN, ANY)])
    return known[1]


def fits(data: Any, schema: Schema) -> bool:
    """Whether it is valid; ``schema`` is one of those that :func:`shapes` told."""
    return validator(schema).is_valid(data)


def _shapes(schema: Schema) -> list[Shape]:
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            rest = {key: value for key, value in schema.items() if key != choice}
            return [shape for option in schema[choice] for shape in _shapes(_both(rest, option))]
    return [(kind, schema) for kind in _kinds(schema) if kind != "null"]


def _both(base: Schema, option: Schema) -> Schema:
    both = {**base, **option}
    for key in ("properties", "required"):
        if key in base and key in option:
            both[key] = {**base[key], **option[key]} if key == "properties" else [*base[key], *option[key]]
    return both


def _kinds(schema: Schema) -> list[str]:
    if "type" in schema:
        kinds = schema["type"]
        return [kinds] if isinstance(kinds, str) else list(kinds)
    return list(dict.fromkeys(kind_of(value) for value in schema.get("enum", ())))


def member(schema: Schema, key: str) -> Schema:
    """Of one member of an object."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if key in properties:
        return properties[key]
    others = schema.get("additionalProperties")
    return others if isinstance(others, dict) else ANY


def items(schema: Schema) -> Schema:
    """Of the items of an array."""
    found = schema.get("items")
    return found if isinstance(found, dict) else ANY

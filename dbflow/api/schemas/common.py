# SPDX-License-Identifier: Apache-2.0
"""Pieces of the schemas (JSON Schema draft 4, plain data)."""

from typing import Any

Schema = dict[str, Any]

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"[^\W_]"}
"""At least one letter or digit."""
TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"], "maxLength": 255}
REFERENCE: Schema = {"type": "string", "minLength": 1, "maxLength": 1024}
"""An id, or a link that ends in one."""
FLAVOR: Schema = {"anyOf": [REFERENCE, {"type": "integer"}]}
SIZE: Schema = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+$", "maxLength": 20}]
}
"""GiB: a number or its digits."""
UUID: Schema = {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$"}
IPV4: Schema = {"type": "string", "pattern": r"^([0-9]{1,3}\.){3}[0-9]{1,3}$"}
CIDR: Schema = {"type": "string", "pattern": r"^([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$"}
PASSWORD: Schema = {"type": "string", "minLength": 1, "maxLength": 255}


def obj(required: list[str] | None = None, closed: bool = False, **properties: Schema) -> Schema:
    """An object; ``closed`` takes no other properties."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    return schema


def several(item: Schema, least: int = 0, most: int = 1000) -> Schema:
    """An array."""
    schema: Schema = {"type": "array", "items": item, "maxItems": most}
    if least:
        schema["minItems"] = least
    return schema


LINKS = several(obj(["rel", "href"], rel={"type": "string"}, href={"type": "string"}))
"""As answers have them."""

# SPDX-License-Identifier: Apache-2.0
"""Quotas and limits."""

from dbflow.api.schemas.common import Schema, obj, several

_LIMIT: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": -1, "maximum": 2**31 - 1},
        {"type": "string", "pattern": "^(-1|[0-9]{1,9})$"},
        {"type": "null"},
    ]
}
UPDATE: Schema = obj(["quotas"], quotas={"type": "object", "minProperties": 1, "additionalProperties": _LIMIT})
UPDATED = obj(["quotas"], quotas={"type": "object", "additionalProperties": {"type": "integer"}})
QUOTAS = obj(
    ["quotas"],
    quotas=several(
        obj(
            ["resource", "in_use", "reserved", "limit"],
            resource={"type": "string"},
            in_use={"type": "integer"},
            reserved={"type": "integer"},
            limit={"type": "integer"},
        )
    ),
)
LIMITS = obj(["limits"], limits=several(obj(["verb"], verb={"type": "string"})))

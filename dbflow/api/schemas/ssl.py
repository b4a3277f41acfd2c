# SPDX-License-Identifier: Apache-2.0
"""TLS of instances."""

from dbflow.api.schemas.common import Schema, obj
from dbflow.tlsmode import OWN, Mode

_STRING: Schema = {"type": "string"}
_REFERENCE: Schema = {"type": "string", "minLength": 1, "maxLength": 1024}
_ASKED: Schema = {"enum": [True]}
_OPTIONAL: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 1024}
ACTION: Schema = obj(
    ["ssl"],
    ssl=obj(
        closed=True,
        enable=_ASKED,
        disable=_ASKED,
        rollback=_ASKED,
        mode={"enum": sorted(one.value for one in OWN)},
        container_ref=_REFERENCE,
        password_ref=_OPTIONAL,
    ),
)
_MODE: Schema = {"enum": sorted(one.value for one in Mode)}
_STATUS: Schema = {"enum": ["on", "off"]}
CHANGED = obj(
    ["ssl"],
    ssl=obj(["status", "mode", "restart_required"], status=_STATUS, mode=_MODE, restart_required={"type": "boolean"}),
)
_CERTIFICATE = obj(
    ["cn", "expire_at", "san"],
    cn=_STRING,
    expire_at=_STRING,
    san={"type": "array", "items": _STRING},
    payload=_STRING,
)
SHOWN = obj(
    ["ssl"],
    ssl=obj(
        ["status", "mode"],
        status=_STATUS,
        mode=_MODE,
        restart_required={"type": "boolean"},
        certificate=_CERTIFICATE,
    ),
)

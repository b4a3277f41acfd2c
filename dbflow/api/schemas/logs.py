# SPDX-License-Identifier: Apache-2.0
"""Logs of instances."""

from dbflow.api.schemas.common import TEXT, Schema, obj, several

_STRING: Schema = {"type": "string"}
_SWITCH: Schema = {"enum": [0, 1, True, False]}
ACTION: Schema = obj(["name"], name=TEXT, enable=_SWITCH, disable=_SWITCH, publish=_SWITCH, discard=_SWITCH)
LOG = obj(
    ["name", "type", "status", "published", "pending", "container", "prefix", "metafile"],
    name=_STRING,
    type=_STRING,
    status=_STRING,
    published={"type": "integer"},
    pending={"type": "integer"},
    container=_STRING,
    prefix=_STRING,
    metafile=_STRING,
)
ONE = obj(["log"], log=LOG)
LIST = obj(["logs"], logs=several(LOG))

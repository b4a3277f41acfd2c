# SPDX-License-Identifier: Apache-2.0
"""Configuration groups and parameters."""

from dbflow.api.schemas.common import LINKS, NAME, OPTIONAL_TEXT, Schema, obj, several

_STRING: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
VALUES: Schema = {"type": "object", "maxProperties": 1000}
"""What a value may be is the parameter's matter."""
DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 4000}


def _of(name: str, content: Schema) -> Schema:
    """An object with this one property, which is no name in Python."""
    return {"type": "object", "required": [name], "properties": {name: content}}


CREATE = obj(
    ["configuration"],
    configuration=obj(
        ["name", "values"],
        name=NAME,
        values=VALUES,
        description=DESCRIPTION,
        datastore=obj(type=OPTIONAL_TEXT, version=OPTIONAL_TEXT, version_number=OPTIONAL_TEXT),
    ),
)
PATCH = obj(["configuration"], configuration=obj(["values"], values=VALUES))
REPLACE = obj(["configuration"], configuration=obj(["values"], values=VALUES, name=NAME, description=DESCRIPTION))

SUMMARY = obj(
    [
        "id",
        "name",
        "description",
        "created",
        "updated",
        "datastore_version_id",
        "datastore_name",
        "datastore_version_name",
    ],
    id=_STRING,
    name=_STRING,
    description={"type": ["string", "null"]},
    created=_STRING,
    updated=_STRING,
    datastore_version_id=_STRING,
    datastore_name=_STRING,
    datastore_version_name=_STRING,
)
DETAIL: Schema = {
    "type": "object",
    "required": [*SUMMARY["required"], "values", "instance_count", "datastore_version_number"],
    "properties": {
        **SUMMARY["properties"],
        "values": {"type": "object"},
        "instance_count": {"type": "integer"},
        "datastore_version_number": _STRING,
    },
}
ONE = obj(["configuration"], configuration=DETAIL)
LIST = obj(["configurations"], configurations=several(SUMMARY), links=LINKS)
INSTANCES = obj(["instances"], instances=several(obj(["id", "name"], id=_STRING, name=_STRING)), links=LINKS)

PARAMETER = obj(
    ["name", "datastore_version_id", "restart_required", "type"],
    name=_STRING,
    datastore_version_id=_STRING,
    restart_required={"type": "boolean"},
    type=_STRING,
    max=_NUMBER,
    min=_NUMBER,
)
PARAMETERS = _of("configuration-parameters", several(PARAMETER))
MGMT_PARAMETER: Schema = {
    "type": "object",
    "required": ["name", "datastore_version_id", "restart_required", "type", "deleted", "deleted_at"],
    "properties": {
        **{
            name: PARAMETER["properties"][name] for name in ("name", "datastore_version_id", "restart_required", "type")
        },
        "max_size": _NUMBER,
        "min_size": _NUMBER,
        "deleted": {"type": "boolean"},
        "deleted_at": {"type": ["string", "null"]},
    },
}
MGMT_PARAMETERS = _of("configuration-parameters", several(MGMT_PARAMETER))
_SIZE: Schema = {"anyOf": [{"type": ["number", "null"]}, {"type": "string", "pattern": "^-?[0-9]+$", "maxLength": 20}]}
"""Trove's schema wants digits, its code and its client numbers."""
_CHANGES: dict[str, Schema] = {
    "restart_required": {"enum": [0, 1, True, False]},
    "data_type": {"enum": ["integer", "float", "boolean", "string"]},
    "max_size": _SIZE,
    "min_size": _SIZE,
}
NEW_PARAMETER = _of(
    "configuration-parameter",
    {
        "type": "object",
        "required": ["name", "restart_required", "data_type"],
        "properties": {"name": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 64}, **_CHANGES},
    },
)
CHANGE_PARAMETER = _of(
    "configuration-parameter",
    {"type": "object", "required": ["restart_required", "data_type"], "properties": _CHANGES},
)

# SPDX-License-Identifier: Apache-2.0
"""Modules."""

from dbflow.api.schemas.common import LINKS, NAME, OPTIONAL_TEXT, REFERENCE, Schema, obj, several
from dbflow.api.schemas.instances import SUMMARY

_STRING: Schema = {"type": "string"}
_OPTIONAL: Schema = {"type": ["string", "null"]}
_BOOLEAN: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "integer"}
_SWITCH: Schema = {"enum": [0, 1, True, False]}
_OPTIONS: dict[str, Schema] = {
    "description": {"type": ["string", "null"], "maxLength": 4000},
    "datastore": obj(type=OPTIONAL_TEXT, version=OPTIONAL_TEXT),
    "auto_apply": _SWITCH,
    "all_tenants": _SWITCH,
    "visible": _SWITCH,
    "live_update": _SWITCH,
    "priority_apply": _SWITCH,
    "full_access": _SWITCH,
    "apply_order": {"type": "integer", "minimum": 0, "maximum": 9},
}


def _made_of(properties: dict[str, Schema], *required: str) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


_TYPE: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
_CONTENTS: Schema = {"type": "string", "minLength": 1}
_NEW = {"name": NAME, "module_type": _TYPE, "contents": _CONTENTS}
CREATE = obj(["module"], module=_made_of({**_NEW, **_OPTIONS}, *_NEW))
_EVERY: dict[str, Schema] = {"all_datastores": _SWITCH, "all_datastore_versions": _SWITCH}
UPDATE = obj(["module"], module=_made_of({**_NEW, "type": _TYPE, **_EVERY, **_OPTIONS}))
REAPPLY = obj(
    ["reapply"],
    reapply=obj(
        md5={"type": ["string", "null"], "pattern": "^[0-9a-f]{32}$"},
        include_clustered=_SWITCH,
        batch_size={"type": ["integer", "null"], "minimum": 0},
        batch_delay={"type": ["integer", "null"], "minimum": 0, "maximum": 86400},
        force=_SWITCH,
    ),
)
APPLY = obj(["modules"], modules=several(obj(["id"], id=REFERENCE), least=1, most=100))

_SUMMARY: dict[str, Schema] = {
    "id": _STRING,
    "name": _STRING,
    "type": _STRING,
    "description": _OPTIONAL,
    "tenant_id": _OPTIONAL,
    "datastore_id": _OPTIONAL,
    "datastore_version_id": _OPTIONAL,
    "auto_apply": _BOOLEAN,
    "priority_apply": _BOOLEAN,
    "apply_order": _NUMBER,
    "is_admin": _BOOLEAN,
    "md5": _STRING,
    "visible": _BOOLEAN,
    "created": _STRING,
    "updated": _STRING,
    "tenant": _STRING,
    "datastore": _STRING,
    "datastore_version": _STRING,
}
MODULE = _made_of(_SUMMARY, *_SUMMARY)
DETAIL = _made_of({**_SUMMARY, "live_update": _BOOLEAN, "instance_count": _NUMBER}, *_SUMMARY, "live_update")
ONE = obj(["module"], module=DETAIL)
LIST = obj(["modules"], modules=several(MODULE))

_RESULT: dict[str, Schema] = {
    "id": _STRING,
    "name": _STRING,
    "type": _STRING,
    "md5": _STRING,
    "datastore": _STRING,
    "datastore_version": _STRING,
    "tenant": _STRING,
    "status": _STRING,
    "message": _OPTIONAL,
    "created": _STRING,
    "updated": _STRING,
    "removed": _OPTIONAL,
    "auto_apply": _BOOLEAN,
    "visible": _BOOLEAN,
    "is_admin": _BOOLEAN,
    "contents": _OPTIONAL,
}
RESULTS = obj(["modules"], modules=several(_made_of(_RESULT, *_RESULT)))
_ALWAYS = ("id", "name", "type", "md5", "created", "updated")
ON_INSTANCE = obj(["modules"], modules=several(_made_of({**_SUMMARY, **_RESULT, "live_update": _BOOLEAN}, *_ALWAYS)))
_COUNT: dict[str, Schema] = {
    "module_id": _STRING,
    "module_name": _STRING,
    "module_md5": _STRING,
    "instance_count": _NUMBER,
    "current": _BOOLEAN,
    "min_updated_date": _STRING,
    "max_updated_date": _STRING,
}
INSTANCES = obj(["instances"], instances=several(_made_of({**SUMMARY["properties"], **_COUNT})), links=LINKS)
"""Instances, or (``count_only``) counts of them."""

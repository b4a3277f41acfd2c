# SPDX-License-Identifier: Apache-2.0
"""What administrators send and are answered of instances and versions of datastores."""

from dbflow.api.schemas.common import LINKS, OPTIONAL_TEXT, TEXT, Schema, obj, several
from dbflow.api.schemas.instances import DETAIL

_STRING: Schema = {"type": "string"}
_NULLABLE: Schema = {"type": ["string", "null"]}
_INTEGER: Schema = {"type": "integer"}
_BOOLEAN: Schema = {"type": "boolean"}
_ADDED = {
    "server": {
        "anyOf": [
            {"type": "null"},
            obj(
                ["id", "name", "status", "tenant_id", "host"],
                id=_STRING,
                name=_STRING,
                status=_STRING,
                tenant_id=_STRING,
                host=_NULLABLE,
                addresses={"type": "array"},
            ),
        ]
    },
    "service_status": _STRING,
    "tenant_id": _STRING,
    "deleted": _BOOLEAN,
    "deleted_at": _NULLABLE,
    "task_description": _STRING,
}
MGMT_INSTANCE: Schema = {
    "type": "object",
    "required": [*DETAIL["required"], *_ADDED],
    "properties": {**DETAIL["properties"], **_ADDED},
}
_SHOWN = {
    "root_enabled": _NULLABLE,
    "root_enabled_by": _NULLABLE,
    "volume": {
        "anyOf": [
            {"type": "null"},
            obj(
                ["id", "size"],
                id=_STRING,
                size=_INTEGER,
                availability_zone=_NULLABLE,
                used={"type": ["number", "null"]},
                total={"type": ["number", "null"]},
            ),
        ]
    },
    "guest_status": obj(["state_description"], state_description=_STRING),
}
MGMT_DETAIL: Schema = {
    "type": "object",
    "required": [*MGMT_INSTANCE["required"], *_SHOWN],
    "properties": {**MGMT_INSTANCE["properties"], **_SHOWN},
}
INSTANCES = obj(["instances"], instances=several(MGMT_INSTANCE), links=LINKS)
INSTANCE = obj(["instance"], instance=MGMT_DETAIL)
_ROOT = obj(["id", "enabled", "user"], id=_STRING, enabled=_STRING, user=_STRING)
ROOT_HISTORY = obj(["root_history"], root_history=_ROOT)
_DIAGNOSTICS = obj(
    ["version", "threads", "fdSize", "vmSize", "vmPeak", "vmRss", "vmHwm"],
    version=_STRING,
    threads=_INTEGER,
    fdSize=_INTEGER,
    vmSize=_INTEGER,
    vmPeak=_INTEGER,
    vmRss=_INTEGER,
    vmHwm=_INTEGER,
)
DIAGNOSTICS = obj(["diagnostics"], diagnostics=_DIAGNOSTICS)
HARDWARE = obj(["hwinfo"], hwinfo=obj(["mem_total", "num_cpus"], mem_total=_INTEGER, num_cpus=_INTEGER))

_TAGS = several(TEXT, most=5)
_PACKAGES = several(TEXT)
NEW_VERSION = obj(
    ["version"],
    version=obj(
        ["name", "datastore_name", "datastore_manager", "active"],
        closed=True,
        name=TEXT,
        datastore_name=TEXT,
        datastore_manager=TEXT,
        active=_BOOLEAN,
        image=OPTIONAL_TEXT,
        image_tags=_TAGS,
        packages=_PACKAGES,
        default=_BOOLEAN,
        version=TEXT,
        registry_ext=OPTIONAL_TEXT,
        repl_strategy=OPTIONAL_TEXT,
    ),
)
CHANGE_VERSION = obj(
    closed=True,
    image=TEXT,
    image_tags=_TAGS,
    active=_BOOLEAN,
    default=_BOOLEAN,
    datastore_manager=TEXT,
    packages=_PACKAGES,
    name=TEXT,
    registry_ext=OPTIONAL_TEXT,
    repl_strategy=OPTIONAL_TEXT,
)
_VERSION = obj(
    [
        "id",
        "name",
        "version",
        "datastore_id",
        "datastore_name",
        "datastore_manager",
        "image",
        "image_tags",
        "packages",
        "active",
        "registry_ext",
        "repl_strategy",
        "default",
    ],
    id=_STRING,
    name=_STRING,
    version=_STRING,
    datastore_id=_STRING,
    datastore_name=_STRING,
    datastore_manager=_STRING,
    image=_NULLABLE,
    image_tags=several(_STRING),
    packages=several(_STRING),
    active=_BOOLEAN,
    registry_ext=_NULLABLE,
    repl_strategy=_NULLABLE,
    default=_BOOLEAN,
)
VERSION = obj(["version"], version=_VERSION)
VERSIONS = obj(["versions"], versions=several(_VERSION), links=LINKS)

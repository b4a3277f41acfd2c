# SPDX-License-Identifier: Apache-2.0
"""Datastores, versions and flavors, as answered."""

from dbflow.api.schemas.common import LINKS, Schema, obj, several

_STRING: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
VERSION_SUMMARY = obj(["id", "name", "version", "links"], id=_STRING, name=_STRING, version=_STRING, links=LINKS)
DATASTORE = obj(
    ["id", "name", "links", "versions"],
    id=_STRING,
    name=_STRING,
    links=LINKS,
    versions=several(VERSION_SUMMARY),
    default_version=_STRING,
)
VERSION: Schema = {
    **VERSION_SUMMARY,
    "required": [*VERSION_SUMMARY["required"], "datastore"],
    "properties": {**VERSION_SUMMARY["properties"], "datastore": _STRING},
}
FLAVOR = obj(
    ["id", "str_id", "name", "ram", "vcpus", "disk", "ephemeral", "links"],
    id={"type": ["integer", "null"]},
    str_id=_STRING,
    name=_STRING,
    ram=_INTEGER,
    vcpus=_INTEGER,
    disk=_INTEGER,
    ephemeral=_INTEGER,
    links=LINKS,
)
ONE_DATASTORE = obj(["datastore"], datastore=DATASTORE)
DATASTORES = obj(["datastores"], datastores=several(DATASTORE))
ONE_VERSION = obj(["version"], version=VERSION)
VERSIONS = obj(["versions"], versions=several(VERSION))
ONE_FLAVOR = obj(["flavor"], flavor=FLAVOR)
FLAVORS = obj(["flavors"], flavors=several(FLAVOR))
VOLUME_TYPES = obj(["volume_types"], volume_types=several(obj(["id", "name"], id=_STRING, name=_STRING)))

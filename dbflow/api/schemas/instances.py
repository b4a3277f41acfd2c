# SPDX-License-Identifier: Apache-2.0
"""Instances: what may be sent, and what is answered."""

from dbflow.api.schemas.accounts import DATABASE, USER
from dbflow.api.schemas.common import (
    CIDR,
    FLAVOR,
    IPV4,
    LINKS,
    NAME,
    OPTIONAL_TEXT,
    REFERENCE,
    SIZE,
    TEXT,
    UUID,
    Schema,
    obj,
    several,
)

NIC: Schema = {
    "type": "object",
    "properties": {"net-id": UUID, "network_id": UUID, "subnet_id": UUID, "ip_address": IPV4},
    "additionalProperties": False,
}
ACCESS = obj(closed=True, is_public={"type": "boolean"}, allowed_cidrs=several(CIDR))
LOCALITY: Schema = {"enum": ["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]}
_NULLABLE_REFERENCE: Schema = {"type": ["string", "null"], "maxLength": 1024}

CREATE = obj(
    ["instance"],
    instance=obj(
        ["name"],
        name=NAME,
        flavorRef=FLAVOR,
        flavor=FLAVOR,
        volume=obj(size=SIZE, type=OPTIONAL_TEXT),
        datastore=obj(type=OPTIONAL_TEXT, version=OPTIONAL_TEXT, version_number=OPTIONAL_TEXT),
        databases=several(DATABASE),
        users=several(USER),
        nics=several(NIC, most=1),
        access=ACCESS,
        availability_zone=OPTIONAL_TEXT,
        region_name=OPTIONAL_TEXT,
        locality=LOCALITY,
        configuration=_NULLABLE_REFERENCE,
        modules=several(obj(["id"], id=REFERENCE), most=100),
        restorePoint=obj(["backupRef"], backupRef=REFERENCE),
        replica_of=_NULLABLE_REFERENCE,
        slave_of=_NULLABLE_REFERENCE,
        replica_count={"type": "integer", "minimum": 1, "maximum": 3},
    ),
)

CHANGE = obj(
    ["instance"],
    instance=obj(
        closed=True,
        name=NAME,
        configuration=_NULLABLE_REFERENCE,
        replica_of=_NULLABLE_REFERENCE,
        slave_of=_NULLABLE_REFERENCE,
        access=ACCESS,
        datastore_version=REFERENCE,
    ),
)

_ANYTHING: Schema = {"type": ["object", "null"]}
ACTION: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "restart": _ANYTHING,
        "resize": obj(volume={"anyOf": [obj(["size"], size=SIZE), SIZE]}, flavorRef=FLAVOR),
        "promote_to_replica_source": _ANYTHING,
        "eject_replica_source": _ANYTHING,
        "reset_status": _ANYTHING,
    },
}

MGMT_ACTION: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "stop": _ANYTHING,
        "reboot": _ANYTHING,
        "rebuild": obj(["image_id"], closed=True, image_id=TEXT),
        "migrate": obj(closed=True, host=OPTIONAL_TEXT) | {"type": ["object", "null"]},
        "renew-certificate": _ANYTHING,
        "reset-task-status": _ANYTHING,
    },
}

_STRING: Schema = {"type": "string"}
_REPLICA = obj(["id", "links"], id=_STRING, links=LINKS)
SUMMARY = obj(
    ["id", "name", "status", "operating_status", "links", "flavor", "datastore", "region", "access"],
    id=_STRING,
    name=_STRING,
    status=_STRING,
    operating_status=_STRING,
    links=LINKS,
    flavor=obj(["id", "links"], id=_STRING, links=LINKS),
    datastore=obj(["type", "version"], type=_STRING, version=_STRING, version_number=_STRING),
    region=_STRING,
    access={"type": "object"},
    volume=obj(["size"], size={"type": "integer"}, used={"type": "number"}, used_percent={"type": "number"}),
    ip=several(_STRING),
    addresses=several(obj(["address", "type"], address=_STRING, type=_STRING, network=_STRING)),
    hostname=_STRING,
    replica_of=_REPLICA,
    replicas=several(_REPLICA),
)
DETAIL: Schema = {
    "type": "object",
    "required": [*SUMMARY["required"], "created", "updated", "service_status_updated"],
    "properties": {
        **SUMMARY["properties"],
        "created": _STRING,
        "updated": _STRING,
        "service_status_updated": _STRING,
        "fault": obj(["message", "created", "details"], message=_STRING, created=_STRING, details=OPTIONAL_TEXT),
        "configuration": obj(["id", "name", "links"], id=_STRING, name=_STRING, links=LINKS),
        "locality": _STRING,
        "tenant_id": _STRING,
        "server_id": _STRING,
        "volume_id": _STRING,
        "encrypted_rpc_messaging": {"type": "boolean"},
    },
}
INSTANCE = obj(["instance"], instance=DETAIL)
CONFIGURATION = obj(["instance"], instance=obj(["configuration"], configuration={"type": "object"}))
INSTANCES = obj(["instances"], instances=several(SUMMARY), links=LINKS)
INSTANCES_DETAIL = obj(["instances"], instances=several(DETAIL), links=LINKS)

# SPDX-License-Identifier: Apache-2.0
"""The versions of the API, as answered."""

from dbflow.api.schemas.common import LINKS, Schema, obj, several

_STRING: Schema = {"type": "string"}
VERSION = obj(["id", "status", "updated", "links"], id=_STRING, status=_STRING, updated=_STRING, links=LINKS)
ONE = obj(["version"], version=VERSION)
EVERY = obj(["versions"], versions=several(VERSION))

# SPDX-License-Identifier: Apache-2.0
"""JSON to XML, in the manner of Trove's XML: scalars are attributes, lists hold elements named in the singular.
A value says its own type only where the schema would have it read as something else."""

import base64
import json
from typing import Any

from dbflow.api.schemas.common import Schema
from dbflow.api.xml.node import PROBLEM, UNFIT, WHOLE, Node, singular, to_bytes
from dbflow.api.xml.read import is_page
from dbflow.api.xml.read import value as read_value
from dbflow.api.xml.shapes import ANY, OPEN, items, kind_of, member, shapes
from dbflow.services.errors import BadRequest


def write(data: Any, schema: Schema) -> bytes:
    """The document; ``schema`` says what a reader knows of it."""
    return to_bytes(_root(data, schema))


def write_problem(problem: dict[str, Any]) -> bytes:
    """A problem document in the format that RFC 9457 gives it."""
    texts = {key: one if isinstance(one, str) else json.dumps(one) for key, one in problem.items()}
    children = [Node(key, text=UNFIT.sub("\ufffd", text)) for key, text in texts.items()]
    return to_bytes(Node("problem", children=children), PROBLEM)


def _root(data: Any, schema: Schema) -> Node:
    """A body of one member is that member; a page is its list, with the links at its end."""
    whole = _node(WHOLE, data, schema)
    members = [*(Node(key, text=text) for key, text in whole.attributes.items()), *whole.children]
    is_object = whole.kind is None and all(kind in ("object", OPEN) for kind, _ in shapes(schema))
    if not is_object or not members or members[0].name == WHOLE:
        return whole
    first, *others = members
    if is_page(first, schema) and not isinstance(data[first.name], list):
        return whole
    if is_page(first, schema) and [one.name for one in others] == ["links"]:
        first.children += others
        return first
    return whole if others else first


def _node(name: str, data: Any, schema: Schema) -> Node:
    made = _unmarked(name, data, schema)
    if made.kind is None and not _is_plain_to_see(made, data, schema):
        made.kind = kind_of(data)
    return made


def _unmarked(name: str, data: Any, schema: Schema) -> Node:
    kind = kind_of(data)
    shape = next((shape for found, shape in shapes(schema) if found == kind), ANY)
    if kind == "null":
        return Node(name, kind)
    if kind == "array":
        return Node(name, children=[_node(singular(name), item, items(shape)) for item in data])
    if kind == "object":
        made = Node(name)
        for key, one in data.items():
            child = _node(key, one, member(shape, key))
            if child.kind is None and not isinstance(one, dict | list):
                made.attributes[key] = child.text
            else:
                made.children.append(child)
        return made
    if kind == "string" and UNFIT.search(data):
        return Node(name, "base64", text=base64.b64encode(data.encode("utf-8", "replace")).decode())
    return Node(name, text=data if kind == "string" else json.dumps(data))


def _is_plain_to_see(node: Node, data: Any, schema: Schema) -> bool:
    """Whether the schema has it read as what it is."""
    kind, found = kind_of(data), shapes(schema)
    if len(found) == 1 and found[0][0] in (kind, "number" if kind == "integer" else kind):
        return True
    try:
        return _same(read_value(node, schema, ()), data)
    except BadRequest:
        return False


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

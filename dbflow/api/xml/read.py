# SPDX-License-Identifier: Apache-2.0
"""XML to JSON. The schema says of what type a value is; what does not fit becomes what it looks like, so that the
schema's own check refuses it, in the words in which it refuses JSON."""

import base64
import binascii
import re
from typing import Any

from dbflow.api.schemas.common import Schema
from dbflow.api.xml.node import ITEM, WHOLE, Node, singular
from dbflow.api.xml.parse import SPACE, parse
from dbflow.api.xml.shapes import ANY, OPEN, fits, items, kind_of, member, shapes
from dbflow.services.errors import BadRequest

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,999})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?([eE][+-]?[0-9]{1,3})?")
_BOOLEANS = {"true": True, "false": False}


def read(raw: bytes, schema: Schema, charset: str | None = None) -> Any:
    """What the document says, in the shape that ``schema`` wants as far as it goes. BadRequest names the place."""
    return body(parse(raw, charset), schema)


def body(root: Node, schema: Schema) -> Any:
    """The JSON of a document."""
    if root.name == WHOLE:
        return value(root, schema, ())
    whole = Node(WHOLE, children=[root])
    if is_page(root, schema):
        whole.children += [child for child in root.children if child.name == "links"]
        root.children = [child for child in root.children if child.name != "links"]
    return value(whole, schema, ())


def is_page(root: Node, schema: Schema) -> bool:
    """Whether it is the list of a page, in which the page's links may be, too."""
    properties: Schema = schema.get("properties", {})
    if root.kind is not None or root.name == "links" or not {root.name, "links"} <= set(properties):
        return False
    return [kind for kind, _ in shapes(properties[root.name])] == ["array"]


def value(node: Node, schema: Schema, path: Path) -> Any:
    """The value of one element."""
    if node.kind is not None:
        return _marked(node, schema, path)
    found = shapes(schema)
    if len(found) == 1:
        return _as(node, *found[0], path)
    return _first_that_fits(node, schema, path)


def _first_that_fits(node: Node, schema: Schema, path: Path) -> Any:
    made, wrong = [], []
    for kind, shape in shapes(schema):
        try:
            made.append(_as(node, kind, shape, path))
        except BadRequest as error:
            wrong.append(error)
        else:
            if fits(made[-1], shape):
                return made[-1]
    if not made:
        raise wrong[0]
    return made[0]


def _as(node: Node, kind: str, schema: Schema, path: Path) -> Any:
    """As a value of this type if it looks like one."""
    if kind == "array" and not node.attributes and not node.text.strip(SPACE):
        return _array(node, schema, path)
    if kind == "object" and not (node.plain and node.text.strip(SPACE)):
        return _object(node, schema, path)
    if not node.plain:
        return _object(node, ANY, path)
    if kind == "string":
        return node.text
    return _scalar(node.text if kind == OPEN else node.text.strip(SPACE), kind, node.text)


def _scalar(text: str, kind: str, otherwise: str) -> Any:
    """By what the text looks like; integers are numbers, too."""
    if kind in ("boolean", OPEN) and text in _BOOLEANS:
        return _BOOLEANS[text]
    if kind in ("integer", "number", OPEN) and _INTEGER.fullmatch(text):
        return int(text)
    if kind in ("number", OPEN) and _NUMBER.fullmatch(text) and abs(float(text)) != float("inf"):
        return float(text)
    return otherwise


def _object(node: Node, schema: Schema, path: Path) -> dict[str, Any]:
    members = [*(Node(key, text=text) for key, text in node.attributes.items()), *node.children]
    made: dict[str, Any] = {}
    for one in members:
        if one.name in made:
            raise _wrong((*path, one.name), "is there twice")
        made[one.name] = value(one, member(schema, one.name), (*path, one.name))
    return made


def _array(node: Node, schema: Schema, path: Path) -> list[Any]:
    names = (singular(node.name), ITEM)
    for child in node.children:
        if child.name not in names:
            raise _wrong((*path, child.name), f"is not an item of the list; write {names[0]}")
    return [value(child, items(schema), (*path, index)) for index, child in enumerate(node.children)]


def _marked(node: Node, schema: Schema, path: Path) -> Any:
    """Of the type that it says it has."""
    kind = str(node.kind)
    shape = next((shape for name, shape in shapes(schema) if name == kind), ANY)
    made: Any = node.text
    if kind == "object":
        made = made.strip(SPACE) or _object(node, shape, path)
    elif kind == "array" and not node.attributes:
        made = made.strip(SPACE) or _array(node, shape, path)
    elif not node.plain:
        made = {}
    elif kind == "base64":
        return _of_base64(node.text, path)
    elif kind == "null":
        made = made.strip(SPACE) or None
    else:
        made = made if kind == "string" else _scalar(made.strip(SPACE), kind, made)
    if kind_of(made) != kind and (kind, kind_of(made)) != ("number", "integer"):
        raise _wrong(path, f"says that it is {kind}, and is not")
    return made


def _of_base64(text: str, path: Path) -> str:
    try:
        made = base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _wrong(path, "is not UTF-8 in base64") from None
    if "\0" in made:
        raise BadRequest("Validation error: a NUL character is not allowed.")
    return made


def _wrong(path: Path, sentence: str) -> BadRequest:
    return BadRequest(f"Validation error: {' '.join(map(str, path)) or WHOLE} {sentence}"[:500])

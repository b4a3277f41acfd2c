# SPDX-License-Identifier: Apache-2.0
"""An element, the names it may have, and how it is written down.

Names of members are names of elements and attributes. What XML allows in no name is written as SQL/XML has it:
``_x0020_`` for a space.
"""

import dataclasses
import re

API = "http://docs.openstack.org/database/api/v1.0"
"""Namespace of Trove's resources."""
PROBLEM = "urn:ietf:rfc:7807"
"""Namespace of problem documents (RFC 9457, which kept the name)."""
JSON = "urn:dbflow:json"
"""Namespace of the attribute ``type``."""
XSI = "http://www.w3.org/2001/XMLSchema-instance"
"""Namespace of the attribute ``nil``."""
WHOLE = "body"
"""The root of what does not have just one member."""
ITEM = "item"

_ESCAPED = re.compile(r"_x([0-9A-F]{6}|[0-9A-F]{4}|)_")
# An underscore that would look like the beginning of an escape.
_LIKE_ESCAPE = r"_(?=x[0-9A-F]{0,6}(?:[^A-Za-z0-9.-]|$))"
_UNFIT_IN_NAME = re.compile(rf"^(?=[Xx][Mm][Ll]).|^[^A-Za-z_]|{_LIKE_ESCAPE}|[^A-Za-z0-9_.-]", re.DOTALL)
UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, not even as a character reference."""
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


@dataclasses.dataclass
class Node:
    """An element. Either ``text``, or ``attributes`` and ``children``."""

    name: str
    kind: str | None = None
    """What it says of its own type: null, boolean, integer, number, string, base64, array, object."""
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    children: list["Node"] = dataclasses.field(default_factory=list)
    text: str = ""

    @property
    def plain(self) -> bool:
        """Text and nothing else."""
        return not self.children and not self.attributes


def singular(name: str) -> str:
    """The name of the items of a list: ``item`` for those whose name is no plural."""
    if len(name) < 3 or not name.endswith("s") or name.endswith(("ss", "us")):
        return ITEM
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-2] if name.endswith(("sses", "uses", "xes", "ches")) else name[:-1]


def to_name(key: str) -> str:
    """A key as the name of an element."""
    return _UNFIT_IN_NAME.sub(lambda found: _escape(found.group()), key) or "_x_"


def _escape(character: str) -> str:
    code = ord(character)
    return f"_x{code:04X}_" if code <= 0xFFFF else f"_x{code:06X}_"


def to_key(name: str) -> str:
    """The key of an element's name."""
    return _ESCAPED.sub(_unescape, name)


def _unescape(found: re.Match[str]) -> str:
    if not found.group(1):
        return ""
    code = int(found.group(1), 16)
    real = 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
    return chr(code) if real else found.group()


def to_bytes(root: Node, namespace: str = API) -> bytes:
    """The document."""
    kinds = _kinds(root)
    spaces = f' xmlns="{namespace}"'
    if kinds - {"null"}:
        spaces += f' xmlns:json="{JSON}"'
    if "null" in kinds:
        spaces += f' xmlns:xsi="{XSI}"'
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _write(root, parts, spaces)
    return "".join(parts).encode()


def _kinds(node: Node) -> set[str]:
    return {node.kind or ""}.union(*(_kinds(child) for child in node.children)) - {""}


def _write(node: Node, parts: list[str], spaces: str = "") -> None:
    name = to_name(node.name)
    parts.append(f"<{name}{spaces}")
    if node.kind is not None:
        parts.append(' xsi:nil="true"' if node.kind == "null" else f' json:type="{node.kind}"')
    parts += [f' {to_name(key)}="{text.translate(_IN_ATTRIBUTE)}"' for key, text in node.attributes.items()]
    if not node.children and not node.text:
        parts.append("/>")
        return
    parts.append(f">{node.text.translate(_IN_TEXT)}")
    for child in node.children:
        _write(child, parts)
    parts.append(f"</{name}>")

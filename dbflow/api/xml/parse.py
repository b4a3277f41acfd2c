# SPDX-License-Identifier: Apache-2.0
"""Documents of strangers, with bounds: no DTD, so no entities and nothing from elsewhere; neither deep nor endless."""

import codecs
import re

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from dbflow.api.xml.node import API, JSON, XSI, Node, to_key
from dbflow.services.errors import BadRequest

SPACE = " \t\r\n"
_DEEPEST = 32
_MOST = 50_000
"""Elements and attributes."""
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WITHOUT_BOM = ("utf-8", "ascii", "iso8859-1")
_DECLARED = re.compile(r"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]{0,40})["']""")
_KINDS = {"boolean", "integer", "number", "string", "base64", "array", "object"}
_INVALID = "The server could not comply with the request since the body is not valid XML"


def parse(raw: bytes, charset: str | None = None) -> Node:
    """The root. ``charset`` is the content type's. BadRequest tells where it is wrong."""
    builder = _Builder()
    try:
        parser = DefusedXMLParser(target=builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
        parser.feed(_decoded(raw, charset))
        parser.close()
    except ParseError as error:
        raise BadRequest(f"{_INVALID}: {error}."[:500]) from None
    except DefusedXmlException:
        raise BadRequest(f"{_INVALID}: a document type and entities of its own are not allowed.") from None
    return builder.root


def _decoded(raw: bytes, charset: str | None) -> str:
    bom = next((codec for mark, codec in _BOMS.items() if raw.startswith(mark)), None)
    declared = _DECLARED.match(raw[:400].decode(bom or "latin-1", "ignore").lstrip("\ufeff"))
    said = {_codec(name) for name in (charset, declared and declared.group(1)) if name}
    if len(said) > 1 or (bom is not None and said - {bom}):
        raise BadRequest(f"{_INVALID}: its encoding is said to be more than one.")
    codec = bom or next(iter(said), "utf-8")
    if bom is None and codec not in _WITHOUT_BOM:
        raise BadRequest(f"{_INVALID}: this encoding is not supported; send UTF-8.")
    try:
        return raw.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{_INVALID}: byte {error.start + 1} is not {codec.upper()}.") from None


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return "unknown"


class _Builder:
    """Makes nodes of what the parser finds."""

    def __init__(self) -> None:
        self.root = Node("")
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._seen = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        space, _, name = tag.rpartition("}")
        node = Node(to_key(name))
        self._count(1 + len(attributes), node)
        if space not in ("", f"{{{API}"):
            raise self._wrong(node, f"is of another namespace than {API}")
        for key, text in attributes.items():
            self._attribute(node, key, text)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._texts.append([])

    def _count(self, more: int, node: Node) -> None:
        self._seen += more
        if len(self._open) >= _DEEPEST:
            raise self._wrong(node, f"is too deep (at most {_DEEPEST} elements)")
        if self._seen > _MOST:
            raise self._wrong(node, f"is too much: at most {_MOST} elements and attributes")

    def _attribute(self, node: Node, name: str, text: str) -> None:
        if name == f"{{{JSON}}}type" and text in _KINDS and node.kind is None:
            node.kind = text
        elif name == f"{{{XSI}}}nil" and text in ("true", "1", "false", "0") and node.kind is None:
            node.kind = "null" if text in ("true", "1") else None
        elif name.startswith("{"):
            raise self._wrong(node, f"has an attribute that is not understood: {name.rpartition('}')[2]}")
        else:
            key = to_key(name)
            if key in node.attributes:
                raise self._wrong(node, f"{key} is there twice")
            node.attributes[key] = text

    def data(self, text: str) -> None:
        """Text within an element."""
        self._texts[-1].append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        node, text = self._open[-1], "".join(self._texts.pop())
        if node.plain:
            node.text = text
        elif text.strip(SPACE):
            raise self._wrong(None, "has text beside elements or attributes")
        self._open.pop()

    def close(self) -> None:
        """The document ends."""

    def _wrong(self, node: Node | None, sentence: str) -> BadRequest:
        names = [one.name for one in self._open[:8]] + ([node.name] if node else [])
        return BadRequest(f"Validation error: {' '.join(names)} {sentence}"[:500])

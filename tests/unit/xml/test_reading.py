# SPDX-License-Identifier: Apache-2.0
"""XML as people and old clients write it, and what is no XML for us."""

import time

import pytest

from dbflow.api.schemas import accounts, instances, quotas
from dbflow.api.schemas.common import Schema, obj
from dbflow.api.xml.read import read
from dbflow.services.errors import BadRequest

BOUND = 30.0
"""Seconds of processor time: a busy machine needs one or two, and what is not bounded, minutes."""
SPACE = 'xmlns="http://docs.openstack.org/database/api/v1.0"'
MARKS = 'xmlns:json="urn:dbflow:json" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
CREATE = {
    "instance": {
        "name": "db1",
        "flavorRef": "1",
        "volume": {"size": 2},
        "databases": [{"name": "shop", "character_set": "utf8"}, {"name": "depot"}],
        "users": [{"name": "ann", "password": " p ", "databases": [{"name": "shop"}]}],
        "access": {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]},
        "configuration": None,
        "replica_count": 3,
    }
}
ATTRIBUTES = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- as of old -->
<instance {SPACE} {MARKS} name="db1" flavorRef="1" replica_count="3">
  <volume size="2"/>
  <databases><database name="shop" character_set="utf8"/><database name="depot"/></databases>
  <users><user name="ann" password=" p "><databases><database name="shop"/></databases></user></users>
  <access is_public="false"><allowed_cidrs><item>10.0.0.0/8</item></allowed_cidrs></access>
  <configuration xsi:nil="true"/>
</instance>
"""
ELEMENTS = f"""<d:instance xmlns:d="http://docs.openstack.org/database/api/v1.0" {MARKS}>
  <d:name>db1</d:name><d:flavorRef>1</d:flavorRef><d:volume><d:size> 2 </d:size></d:volume>
  <databases><database><name>shop</name><character_set>utf8</character_set></database>
    <database><name><![CDATA[depot]]></name></database></databases>
  <users><item><name>ann</name><password> p </password><databases><item><name>sh&#111;p</name></item></databases></item>
  </users>
  <access><is_public>false</is_public><allowed_cidrs><allowed_cidr>10.0.0.0/8</allowed_cidr></allowed_cidrs></access>
  <configuration xsi:nil="1"/><replica_count json:type="integer">3</replica_count>
</d:instance>"""


@pytest.mark.parametrize(
    "document", [ATTRIBUTES, ELEMENTS, f"<body>{ELEMENTS}</body>"], ids=["attrs", "elements", "body"]
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_ways_to_say_it(document: str, codec: str) -> None:
    assert read(document.replace("UTF-8", codec.removesuffix("-sig")).encode(codec), instances.CREATE) == CREATE


@pytest.mark.parametrize(
    ("document", "schema", "wanted"),
    [
        ("<restart/>", instances.ACTION, {"restart": {}}),
        ('<resize flavorRef="2"/>', instances.ACTION, {"resize": {"flavorRef": "2"}}),
        ("<resize><volume>2</volume></resize>", instances.ACTION, {"resize": {"volume": 2}}),
        ('<resize><volume size="2"/></resize>', instances.ACTION, {"resize": {"volume": {"size": 2}}}),
        ("<body/>", accounts.ENABLE_ROOT, {}),
        ("<password/>", accounts.ENABLE_ROOT, {"password": ""}),
        ('<body password="x"/>', accounts.ENABLE_ROOT, {"password": "x"}),
        ('<users name="a" password="p"/>', accounts.ADD_NAMED_USER, {"users": {"name": "a", "password": "p"}}),
        (
            '<users><user name="a" password="p"/></users>',
            accounts.ADD_NAMED_USER,
            {"users": [{"name": "a", "password": "p"}]},
        ),
        ("<databases> <!-- none --> </databases>", accounts.GRANT, {"databases": []}),
        ('<quotas ram="-1" volumes=" 5"/>', quotas.UPDATE, {"quotas": {"ram": -1, "volumes": 5}}),
        ("<quotas><ram>many</ram></quotas>", quotas.UPDATE, {"quotas": {"ram": "many"}}),
        ("<a b='1' c='01' d='x' e='true' f=' 1'/>", {}, {"a": {"b": 1, "c": "01", "d": "x", "e": True, "f": " 1"}}),
        ("<a/>", {}, {"a": ""}),
        ("<x>1.50</x>", obj(x={"type": "number"}), {"x": 1.5}),
        ("<x>1.0</x>", obj(x={"type": "integer"}), {"x": "1.0"}),
        ("<x>True</x>", obj(x={"type": "boolean"}), {"x": "True"}),
        ("<x>1</x>", obj(x={"enum": [0, 1, True, False]}), {"x": 1}),
        ("<x>true</x>", obj(x={"enum": [0, 1, True, False]}), {"x": True}),
        ("<x>0</x>", obj(x={"enum": [0, 1, None]}), {"x": 0}),
        ("<x>physical</x>", obj(x={"enum": ["physical", None]}), {"x": "physical"}),
    ],
)
def test_types_are_the_schema_s(document: str, schema: Schema, wanted: object) -> None:
    assert repr(read(document.encode(), schema)) == repr(wanted)


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><instance name="&b;"/>'
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]><instance><name>&a11;</name></instance>"
)
FOREIGN = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><instance><name>&a;</name></instance>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % a SYSTEM "http://127.0.0.1:1/a">%a;]><instance/>'
ENTITIES = "a document type and entities of its own are not allowed"
ENCODING = "this encoding is not supported"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (BOMB, ENTITIES),
        (LAUGHS, ENTITIES),
        (FOREIGN, ENTITIES),
        (PARAMETER, ENTITIES),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', ENTITIES),
        ("<!DOCTYPE instance><instance/>", ENTITIES),
        ("<instance>&who;</instance>", "undefined entity: line 1, column 10"),
        ("<instance>\n<name>x</instance>", "mismatched tag: line 2, column 9"),
        ("<instance", "unclosed token: line 1, column 0"),
        ("<a/><b/>", "junk after document element: line 1, column 4"),
        ('{"instance": {}}', "not well-formed (invalid token): line 1, column 0"),
        ('<a b="1" b="2"/>', "duplicate attribute: line 1"),
        ("<x:a/>", "unbound prefix: line 1"),
        ("<a>&#0;</a>", "reference to invalid character number: line 1"),
        ("<a>\x01</a>", "not well-formed (invalid token): line 1, column 3"),
        (b"<a>\xff</a>", "byte 4 is not UTF-8"),
        (b'<?xml version="1.0" encoding="ascii"?><a>\xc3\xa9</a>', "byte 42 is not ASCII"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', ENCODING),
        ('<?xml version="1.0" encoding="zlib"?><a/>', ENCODING),
        ('<?xml version="1.0" encoding="no such"?><a/>', ENCODING),
        ('<?xml version="1.0" encoding="utf-16"?><a/>', ENCODING),
        ('<?xml version="1.0" encoding="utf-8"?><a/>'.encode("utf-16"), "more than one"),
        ("<a>" * 33 + "</a>" * 33, "too deep (at most 32 elements)"),
        ("<a>" * 200_000, "too deep (at most 32 elements)"),
        (f"<a>{'<b/>' * 50_000}</a>", "at most 50000 elements and attributes"),
        ('<instance name="a"><name>a</name></instance>', "instance name is there twice"),
        ("<instance><volume/><volume/></instance>", "instance volume is there twice"),
        ('<instance xmlns:a="http://docs.openstack.org/database/api/v1.0" a:name="a"/>', "not understood: name"),
        ("<instance>db1<volume/></instance>", "instance has text beside elements"),
        ("<instance><volume size='1'>2</volume></instance>", "instance volume has text beside elements"),
        ("<instance><volume/>2</instance>", "instance has text beside elements"),
        ("<instance><users><user/><database/></users></instance>", "instance users database is not an item"),
        ('<instance xmlns="urn:other"/>', "instance is of another namespace"),
        ('<instance><name xmlns="urn:other"/></instance>', "instance name is of another namespace"),
        (f'<a {MARKS}><b json:type="integer">x</b></a>', "a b says that it is integer, and is not"),
        (f'<a {MARKS}><b json:type="array" c="1"/></a>', "a b says that it is array, and is not"),
        (f'<a {MARKS}><b json:type="object">x</b></a>', "a b says that it is object, and is not"),
        (f'<a {MARKS}><b json:type="string"><c/></b></a>', "a b says that it is string, and is not"),
        (f'<a {MARKS}><b json:type="anything"/></a>', "a b has an attribute that is not understood: type"),
        (f'<a {MARKS}><b xsi:nil="true">x</b></a>', "a b says that it is null, and is not"),
        (f'<a {MARKS}><b xsi:type="c"/></a>', "a b has an attribute that is not understood: type"),
        (f'<a {MARKS} xsi:schemaLocation="urn:a http://127.0.0.1:1/a.xsd"/>', "not understood: schemaLocation"),
        (f'<a {MARKS}><b json:type="base64">!</b></a>', "a b is not UTF-8 in base64"),
        (f'<a {MARKS}><b json:type="base64">/w==</b></a>', "a b is not UTF-8 in base64"),
        (f'<a {MARKS}><b json:type="base64">YQBi</b></a>', "a NUL character is not allowed"),
    ],
)
def test_refused_and_the_place_named(document: str | bytes, sentence: str) -> None:
    raw = document if isinstance(document, bytes) else document.encode()
    began = time.process_time()
    with pytest.raises(BadRequest, match=r"Validation error|not valid XML") as refused:
        read(raw, instances.CREATE)
    assert sentence in str(refused.value)
    assert time.process_time() - began < BOUND


def test_encodings_of_the_content_type() -> None:
    latin = "<name>caf\u00e9</name>".encode("iso-8859-1")
    assert read(latin, obj(name={"type": "string"}), "ISO-8859-1") == {"name": "caf\u00e9"}
    assert read(b'<?xml version="1.0" encoding="iso-8859-1"?>' + latin, {}) == {"name": "caf\u00e9"}
    for charset, sentence in (("utf-8", "byte 10 is not UTF-8"), ("utf-16", ENCODING), ("\0", ENCODING)):
        with pytest.raises(BadRequest, match=sentence):
            read(latin, {}, charset)
    with pytest.raises(BadRequest, match="more than one"):
        read(b'<?xml version="1.0" encoding="iso-8859-1"?>' + latin, {}, "utf-8")


def test_comments_are_cheap() -> None:
    began = time.process_time()
    assert read(b"<name>" + b"a<!---->" * 100_000 + b"</name>", {}) == {"name": "a" * 100_000}
    assert time.process_time() - began < BOUND

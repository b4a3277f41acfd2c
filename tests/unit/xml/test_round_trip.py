# SPDX-License-Identifier: Apache-2.0
"""Any JSON, for every schema of the API: written as XML and read back it is the same."""

import importlib
import pkgutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbflow.api import schemas
from dbflow.api.schemas import checks, quotas
from dbflow.api.schemas.common import Schema
from dbflow.api.xml import shapes
from dbflow.api.xml.node import to_key, to_name
from tests.unit.api.forms import returns

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
"""NUL and halves of surrogate pairs are refused in JSON as well."""
TEXT = st.text(CHARACTERS, max_size=10)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
LOOKING_LIKE = st.sampled_from(["1", "-0", "007", "1.0", "1e5", "1e999", "true", "null", "", " 1 ", "\r\n\t", "]]>"])
KEYS = st.sampled_from(["links", "link", "item", "body", "xmlns", "xml:id", "a b", "1", "_x0041_", "_x_", "", "é"])
ANYTHING = st.recursive(
    SCALARS | LOOKING_LIKE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXT, inner, max_size=3),
    max_leaves=5,
)
FITTING = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": st.integers(),
    "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "string": TEXT | LOOKING_LIKE,
}


def near(schema: Schema) -> st.SearchStrategy[Any]:
    """What has the schema's structure, with something else here and there."""
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            rest = {key: value for key, value in schema.items() if key != choice}
            return st.one_of([near({**rest, **option}) for option in schema[choice]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | ANYTHING
    kinds = schema.get("type", "any")
    return st.one_of([_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def _of_kind(kind: str, schema: Schema) -> st.SearchStrategy[Any]:
    if kind == "array":
        return st.lists(near(schema.get("items", {})), max_size=3)
    if kind == "object" and "properties" in schema:
        return st.fixed_dictionaries({}, optional={key: near(one) for key, one in schema["properties"].items()})
    if kind == "object":
        return st.dictionaries(KEYS | TEXT, ANYTHING, max_size=3)
    return st.one_of(FITTING[kind], FITTING[kind], ANYTHING) if kind in FITTING else ANYTHING


def _every() -> list[Any]:
    found = {}
    for info in pkgutil.iter_modules(schemas.__path__):
        module = importlib.import_module(f"{schemas.__name__}.{info.name}")
        for name, schema in vars(module).items():
            if isinstance(schema, dict) and not name.startswith("__") and ("type" in schema or "anyOf" in schema):
                found[id(schema)] = pytest.param(schema, id=f"{info.name}.{name}")
    return list(found.values())


@pytest.mark.parametrize("schema", [*_every(), pytest.param({}, id="open")])
@settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_round_trip(schema: Schema, data: st.DataObject) -> None:
    for body in (data.draw(near(schema)), data.draw(ANYTHING)):
        assert returns(body, schema)


@settings(max_examples=300, deadline=None, database=None)
@given(key=TEXT | st.text("_x0025AFz ", max_size=16) | KEYS)
def test_names(key: str) -> None:
    name = to_name(key)
    assert to_key(name) == key
    assert name.isascii()
    assert not name.lower().startswith("xml")


def test_only_schemas_are_remembered() -> None:
    body = {"quotas": {f"q{n}": one for n, one in enumerate([1, "1", None, {"a": [1, {"b": "true"}]}, [[]]])}}
    known = []
    for _ in range(3):
        assert returns(body, quotas.UPDATE)
        known.append(len(shapes._KNOWN) + len(checks._VALIDATORS))
    assert known[0] == known[2]

# SPDX-License-Identifier: Apache-2.0
"""Names and values in SQL."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import quoting

NAMES = st.text(st.characters(max_codepoint=0xFFFF, blacklist_categories=("Cc", "Cs")), min_size=1, max_size=64).filter(
    lambda name: not name.endswith(" ")
)


def _matches(pattern: str, name: str) -> bool:
    """How the server matches the pattern of a grant."""
    parts, characters = [], iter(pattern)
    for character in characters:
        match character:
            case "\\":
                parts.append(re.escape(next(characters, "\\")))
            case "_":
                parts.append(".")
            case "%":
                parts.append(".*")
            case _:
                parts.append(re.escape(character))
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


@given(NAMES)
def test_identifier_ends_where_it_should(name: str) -> None:
    quoted = quoting.identifier(name)
    assert quoted[0] == quoted[-1] == "`"
    assert "`" not in quoted[1:-1].replace("``", "")
    assert quoted[1:-1].replace("``", "`") == name


@given(st.text())
def test_literal_ends_where_it_should(value: str) -> None:
    inside = quoting.literal(value)[1:-1]
    assert "'" not in re.sub(r"\\.", "", inside, flags=re.DOTALL)
    assert len(re.sub(r"\\.", "", inside, flags=re.DOTALL)) == 0 or not inside.replace("\\\\", "").endswith("\\")


@given(NAMES, NAMES)
def test_pattern_matches_its_database_only(name: str, other: str) -> None:
    pattern = quoting.grant_pattern(name)
    assert quoting.database_of_pattern(pattern) == name
    assert _matches(pattern, name)
    assert _matches(pattern, other) == (name == other)


def test_pattern_of_the_classic_mistake() -> None:
    assert quoting.grant_pattern("a_b") == r"a\_b"
    assert not _matches(quoting.grant_pattern("a_b"), "axb")
    assert _matches("a_b", "axb")


def test_password_hash_is_the_servers() -> None:
    # What SELECT PASSWORD('secret') answers.
    assert quoting.password_hash("secret") == "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"


@pytest.mark.parametrize("name", ["face😀", "end ", "nul\0", "line\n", "\ud800"])
def test_names_that_would_become_others(name: str) -> None:
    with pytest.raises(DatastoreError):
        quoting.identifier(name)
    with pytest.raises(DatastoreError):
        quoting.account(name, "%")
    with pytest.raises(DatastoreError):
        quoting.account("u", name)


@pytest.mark.parametrize("name", ["", "utf8 COLLATE x", "utf8;", "`", "ü", "x" * 65])
def test_character_sets_are_words(name: str) -> None:
    with pytest.raises(DatastoreError):
        quoting.charset(name)
    assert quoting.charset("utf8mb4_general_ci") == "utf8mb4_general_ci"

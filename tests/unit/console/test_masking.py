# SPDX-License-Identifier: Apache-2.0
"""Secrets are found by their names, and by themselves."""

import json

from hypothesis import given
from hypothesis import strategies as st

from dbflow.services.masking import MASK, Mask

ARGUMENTS = {"users": [{"name": "app", "password": "hunter2", "host": "%"}], "root": {"password": {"new": "hunter22"}}}


def test_by_name() -> None:
    mask = Mask(ARGUMENTS)
    assert mask(ARGUMENTS) == {
        "users": [{"name": "app", "password": MASK, "host": "%"}],
        "root": {"password": MASK},
    }
    assert mask("k", "guest_key") == MASK
    assert mask({"port": {"id": "p"}}) == {"port": {"id": "p"}}
    assert mask(None, "password") is None


def test_by_value() -> None:
    mask = Mask(ARGUMENTS)
    assert mask("near 'hunter22' or hunter2") == f"near '{MASK}' or {MASK}"
    assert mask(["hunter2", 7, True, {"hunter2": 1}]) == [MASK, 7, True, {MASK: 1}]


def test_as_others_quote_it() -> None:
    secret = 'p\\w"é\n'
    mask = Mask({"password": secret})
    for said in (repr({"sent": secret}), json.dumps({"sent": secret}), f"near {secret}"):
        told = mask(said)
        assert MASK in told
        assert "w" not in told.replace("known", "")


@given(st.text(min_size=3), st.text(), st.text())
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    told = Mask({"password": secret})(f"{before}{secret}{after}")
    assert secret not in told or secret in MASK or secret in before + MASK + after

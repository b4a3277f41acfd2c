# SPDX-License-Identifier: Apache-2.0
"""Secrets of arguments are found and taken out."""

from guest.redact import redact, secrets


def test_finds_secrets_wherever_they_are() -> None:
    arguments = {
        "name": "shop",
        "password": "hunter2",
        "users": [{"name": "ann", "password": "abc123"}, {"name": "bob", "root_password": "x"}],
        "secrets": {"token": "t0ken", "list": ["deep-one"]},
        "new_passwords": {"ann": "other"},
    }
    assert sorted(secrets(arguments)) == ["abc123", "deep-one", "hunter2", "other", "t0ken"]


def test_takes_them_out_of_every_text() -> None:
    failure = {"exception_str": "no hunter2 here", "causes": [{"traceback_str": "hunter2hunter2", "version": 1}]}
    assert redact(failure, ["hunter2"]) == {
        "exception_str": "no *** here",
        "causes": [{"traceback_str": "******", "version": 1}],
    }

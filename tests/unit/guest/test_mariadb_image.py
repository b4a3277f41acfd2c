# SPDX-License-Identifier: Apache-2.0
"""What a user reads when a data directory can't be made."""

import pytest

from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import image
from guest.datastores.mariadb.layout import Owner


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo no space left; exit 1", "Could not copy it: no space left"),
        ("exit 3", "Could not copy it: sh ended with 3."),
        ("kill -9 $$", "Could not copy it: sh ended with -9."),
    ],
)
def test_a_program_that_fails_is_told_even_if_it_says_nothing(script: str, told: str) -> None:
    with pytest.raises(DatastoreError) as error:
        image._run(["sh", "-c", script], Owner.of(None), "copy it")
    assert str(error.value) == told

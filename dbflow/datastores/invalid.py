# SPDX-License-Identifier: Apache-2.0
"""The error of everything here that looks at values."""


class Invalid(ValueError):
    """A value the datastore does not take; ``str()`` is a sentence for the user, ``field`` says which value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field

# SPDX-License-Identifier: Apache-2.0
"""What others have written."""

import abc


class Scripts(abc.ABC):
    """Statements that somebody else has written."""

    @abc.abstractmethod
    def run(self, text: str, timeout: float) -> int:
        """Run them one after the other, as the server's administrator, and return how many there were. At the first one
        that fails it ends with a DatastoreError, which says which one and holds no value of it; what ran before stays.
        Untouched: it was the first one.
        None takes longer than ``timeout`` seconds."""

# SPDX-License-Identifier: Apache-2.0
"""What others have written."""

import abc


class Scripts(abc.ABC):
    """Statements that somebody else has written."""

    @abc.abstractmethod
    def ready(self) -> None:
        """DatastoreError where none could be run now. Nothing is done, nor waited for."""

    @abc.abstractmethod
    def settle(self) -> None:
        """See that nothing goes on any more that an agent has begun which died since. DatastoreError when it does."""

    @abc.abstractmethod
    def run(self, text: str, timeout: float) -> int:
        """Run them one after the other, with the rights of the server's administrator, and return how many there were.
        What goes on of earlier ones ends before. At the first one that fails it ends with a DatastoreError, which says
        which one and holds no value of it; what ran before stays. Untouched: it was the first one, and did nothing; or
        none was run. All together take no longer than ``timeout`` seconds."""

# SPDX-License-Identifier: Apache-2.0
"""Steps at work. Apart from the tables, since the drawings, which need no database, ask it too."""

BUSY = frozenset({"RUNNING", "REVERTING", "RETRYING"})
"""TaskFlow's states of a step that was begun, or whose undoing was, and that has not ended."""

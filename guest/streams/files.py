# SPDX-License-Identifier: Apache-2.0
"""Names of the files by which an agent and the process of a stream know of each other."""

RESULT = "result.json"
"""There when it has ended: {"sent": …} or {"error": "…"}."""
PROGRESS = "progress"
"""A fraction, as text."""
SESSION = "session"
"""The number of the process, which leads the session of all that it starts."""
LOCK = "lock"
"""Locked for as long as one of them lives."""
COMMANDS_LOG, WORKER_LOG = "commands.log", "worker.log"

# SPDX-License-Identifier: Apache-2.0
"""Streams between programs of a datastore and the object store: cut, compressed and encrypted on their way, never on a
disk, by a process that outlives the agent."""

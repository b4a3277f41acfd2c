# SPDX-License-Identifier: Apache-2.0
"""Conductors that lose their sessions, a thousand times, and go on not knowing it."""

# SPDX-License-Identifier: Apache-2.0
"""The kill sweep in a real OpenStack: conductors die at every step of a create, a resize and a delete."""

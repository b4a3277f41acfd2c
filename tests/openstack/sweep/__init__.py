# SPDX-License-Identifier: Apache-2.0
"""The kill sweep in a real OpenStack: conductors die at every step of an instance's life, and after every request."""

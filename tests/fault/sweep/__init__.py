# SPDX-License-Identifier: Apache-2.0
"""Every operation of the registry, made to fail at every step in every way, and what must be true afterwards."""

# SPDX-License-Identifier: Apache-2.0
"""Networks are cut between the parts: packets are lost, and nobody is told."""

# SPDX-License-Identifier: Apache-2.0
"""Messages between conductors and guests are dropped, doubled, delayed and reordered."""

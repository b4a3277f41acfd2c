# SPDX-License-Identifier: Apache-2.0
"""A small datastore plug-in, guest tasks and real agent processes to test messages with."""

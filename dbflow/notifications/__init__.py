# SPDX-License-Identifier: Apache-2.0
"""Notifications: what Trove tells the world through oslo.messaging, to the letter.

An event is written to SQL in the transaction of what it tells of (outbox), and sent afterwards by the leader (relay):
once at least, in order, with a message id that stays the same when it is sent again.
"""

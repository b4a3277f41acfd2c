# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the control plane and a guest."""


class MessageTooLarge(ValueError):
    """A body over the limit; it is never sent."""


class BrokerUnavailable(Exception):
    """The broker does not answer; nothing was done, or it can be done again."""


class GuestUnreachable(Exception):
    """The guest did not take the request, or did not answer in time."""


class GuestLost(GuestUnreachable):
    """The guest was at work on the request and fell silent."""


class GuestOverdue(GuestUnreachable):
    """The guest is alive, but the request took longer than it may."""


class GuestRefused(Exception):
    """The guest's task failed. ``str()`` is the guest's own message.

    ``error`` is the class of the guest's exception (``AlreadyExists``), ``errors`` that class and its bases, all
    without their modules, since the control plane does not import the guest's.
    """

    def __init__(self, message: str, errors: tuple[str, ...]) -> None:
        super().__init__(message)
        self.errors = errors
        self.error = errors[0]

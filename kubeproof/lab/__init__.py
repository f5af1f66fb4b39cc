"""The embedded lab: a box is built from pinned parts, and containers act as machines on a Docker daemon of their own.

This room never knows how a machine is entered, what is checked on it or how a result is reported.
"""


class LabFailed(Exception):
    """The lab could not be built or started; the message says what is wrong, where, and what to do."""

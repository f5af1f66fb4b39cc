"""The embedded default: real machines in containers, on a Docker daemon and in a network of their own."""


class LabFailed(Exception):
    """The lab could not be built or started; the message says what is wrong, where, and what to do."""

"""The mutation gate: provisioning scripts are broken one edit at a time, and the checks must notice each.

A mutant is data (see `model`). It is provisioned on a machine of its own beside a living cluster (`trial`), judged by
the checks of that machine, and its verdict (`verdict`) says whether the right check was named first.
"""

"""Proves that a Kubernetes cluster is what its provisioning scripts promise.

PYTEST_DONT_REWRITE: the command line has imported it before pytest could.
"""

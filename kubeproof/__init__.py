"""Proves that a Kubernetes cluster is what its provisioning scripts promise."""

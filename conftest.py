"""Loads kubeproof's plugin, which installed packages of checks get by its entry point as well."""

pytest_plugins = ["kubeproof.pytest_plugin"]

"""The pytest plugin: options, collection, schedule, fixtures and verdicts; it sleeps until a project asks for it.

This room never knows how a report is written, or how a machine is made. A project wakes it by naming this package in
its `pytest_plugins`, by `kubeproof_cluster` in its pytest configuration, or by --kubeproof-cluster (see doorbell.py).

PYTEST_DONT_REWRITE: the doorbell imports this package before pytest can.
"""

pytest_plugins = [
    "kubeproof.pytest_plugin.options",
    "kubeproof.pytest_plugin.collection",
    "kubeproof.pytest_plugin.fixtures",
    "kubeproof.pytest_plugin.reporting",
    "kubeproof.pytest_plugin.session",
]

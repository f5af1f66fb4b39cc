"""The part of the plugin that every pytest of an environment loads: it wakes the rest if the project asks for it.

Until then it only knows its configuration key. No option, fixture, signal or order of another project's tests changes.
"""

from collections.abc import Generator

import pytest

PLUGIN = "kubeproof.pytest_plugin"
CLUSTER_KEY = "kubeproof_cluster"
CALLS = ("--kubeproof-", "--cluster")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the configuration key."""
    parser.addini(
        CLUSTER_KEY, "kubeproof: the spec of the cluster to judge, from this file's folder", type="string", default=""
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Wake the plugin once the project's own conftest files, which may have an option --cluster, are loaded."""
    result = yield
    _, unknown = parser.parse_known_and_unknown_args(args)
    if early_config.getini(CLUSTER_KEY) or any(word.startswith(CALLS) for word in unknown):
        early_config.pluginmanager.import_plugin(PLUGIN)
    return result

"""The plugin's options and marks.

Each option has a name with the prefix kubeproof, which no other plugin has, and a short name wherever it is free.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import pytest

from kubeproof.process import paths
from kubeproof.pytest_plugin.doorbell import CLUSTER_KEY
from kubeproof.spec import Existing, Spec

MARKS = (
    "step(script, name, role): the script's step that is responsible for the fact, on nodes of that role",
    "experiment(claims, lasts): a class that makes a fault; claims='a node', 'the cluster', or 'nothing' if "
    "only pods of its own break: it then runs among the read-only checks; lasts is about how many seconds it takes, so "
    "that experiments are spread evenly over the machines",
    "after_experiments: a last look at the baseline",
    "needs(*conditions): the spec must state each for the check to be judged: a path such as networks.pod or "
    "components.calico, or a path and its value, such as 'kubernetes.proxy_mode == iptables'",
    "unless(path): not judged if the spec states that, because other checks are judged then",
    "writes: the check makes objects of its own in the cluster; in an existing one only with --allow-disruption",
    "once: a fact that experiments rightly change: it is not looked at again after them",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("kubeproof")

    def add(name: str, short: str, **details: Any) -> None:
        details["dest"] = f"kubeproof_{name}".replace("-", "_")
        try:
            group.addoption(f"--kubeproof-{name}", f"--{short}", **details)
        except argparse.ArgumentError:  # another plugin has the short name
            group.addoption(f"--kubeproof-{name}", **details)

    # After a space, pytest would take the file's folder for its rootdir.
    add("cluster", "cluster", type=Path, metavar="FILE", help="the spec of the cluster; with =, as --cluster=FILE")
    add("keep-cluster", "keep-cluster", action="store_true", help="leave the cluster up, for the next run or to look")
    add(
        "allow-disruption",
        "allow-disruption",
        metavar="NAME",
        default="",
        help="also run the checks that change an existing cluster; NAME is the name in its spec",
    )
    add("reports", "reports", type=Path, default=Path("reports"), metavar="DIR", help="the folder of the runs' results")
    add(
        "prepared",
        "entered",
        type=Path,
        metavar="FILE",
        help="judge machines that another program brought up, as kubeproof.bring_up.prepared wrote them to FILE",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    for mark in MARKS:
        config.addinivalue_line("markers", mark)


def cluster_file(config: pytest.Config) -> Path:
    """The file of the spec: the option's, else the configuration's, else the bundled one."""
    file = config.getoption("kubeproof_cluster")
    if file is None:
        named = config.getini(CLUSTER_KEY)
        file = (config.inipath or config.rootpath / "_").parent / named if named else paths.DEFAULT_SPEC
    return Path(os.path.realpath(file))  # Path.resolve would raise for a loop of links, which load() refuses in words


def may_disrupt(config: pytest.Config, spec: Spec) -> bool:
    """Whether checks may change the cluster: one that Vagrant makes always, an existing one if it is named."""
    return not isinstance(spec, Existing) or config.getoption("kubeproof_allow_disruption") == spec.name

"""Vagrant is not blocked by the leases of a killed one."""

import sys
from pathlib import Path

import pytest

from kubeproof.bring_up import hosting
from kubeproof.bring_up.vagrant import Vagrant
from kubeproof.process import paths


def test_leases_of_its_own_ports_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vagrant refuses a leased port; leases of other ports stay."""
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    leases = tmp_path / "data" / "fp-leases"
    leases.mkdir(parents=True)
    own, foreign = leases / "127_0_0_1_60010", leases / "127_0_0_1_2222"
    own.touch()
    foreign.touch()
    Vagrant(tmp_path, paths.DEFAULT_SPEC, sys.executable, hosting.of("docker")).release([60010, 60101])
    assert [*leases.iterdir()] == [foreign]

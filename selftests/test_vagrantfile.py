"""The Vagrantfile is valid for every provider and system."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeproof.lab import container
from kubeproof.process import paths
from selftests.provision import PROVISION


def spec_of(folder: Path, provider: str, system: str) -> Path:
    """The default spec with machines of that provider and system."""
    text = paths.DEFAULT_SPEC.read_text().replace("scripts: ..", f"scripts: {PROVISION}")
    text = text.replace("provider: docker ", f"provider: {provider} ", 1)
    file = folder / "spec.yaml"
    file.write_text(text.replace(f"{provider}: debian12", f"{provider}: {system}", 1))
    return file


def validated(
    folder: Path, spec: Path, *, vagrantfile: Path = PROVISION, docker_says: str = "7.0.4r154605"
) -> subprocess.CompletedProcess[str]:
    """Vagrant's verdict on the Vagrantfile in that folder, with that spec.

    Vagrant asks VirtualBox and Docker only for a version before it validates a machine's settings: programs that print
    one are enough to validate all settings, the provider's own included. It proves nothing about a bring-up.
    """
    for program in ("VBoxManage", "docker"):
        (folder / program).write_text(f"#!/bin/sh\necho '{docker_says}'\n")
        (folder / program).chmod(0o755)
    return subprocess.run(
        ["vagrant", "validate"],
        cwd=vagrantfile,
        env={
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "KUBEPROOF_CLUSTER": str(spec),
            "KUBEPROOF_PYTHON": sys.executable,
            "VAGRANT_DOTFILE_PATH": str(folder / ".vagrant"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of a running lab, where the Vagrantfile finds it."""
    key = tmp_path / "ssh_key"
    key.write_text("private")
    key.with_suffix(".pub").write_text("public")
    lab = {"docker_host": f"unix://{tmp_path}/docker.sock", "ssh_key": str(key), "image": "kubeproof/box:1"}
    file = tmp_path / "lab.json"
    file.write_text(json.dumps({**lab, "bundle": str(tmp_path), "run_arguments": container.RUN_ARGUMENTS}))
    monkeypatch.setenv("KUBEPROOF_LAB_FILE", str(file))


@pytest.mark.parametrize("system", ["debian12", "el9"])
@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_the_vagrantfile_is_valid_for_a_hypervisor(tmp_path: Path, provider: str, system: str) -> None:
    """Each provider's plugin knows every setting in the Vagrantfile."""
    done = validated(tmp_path, spec_of(tmp_path, provider, system))
    assert done.stdout == "Vagrantfile validated successfully.\n", done.stderr


@pytest.mark.usefixtures("lab")
def test_the_vagrantfile_is_valid_for_the_lab(tmp_path: Path, bundled: Path) -> None:
    """Vagrant accepts the settings from the record of a running lab."""
    done = validated(tmp_path, bundled)
    assert done.stdout == "Vagrantfile validated successfully.\n", done.stderr


@pytest.mark.usefixtures("lab")
def test_a_network_without_subnets_is_read(tmp_path: Path, bundled: Path) -> None:
    """Docker 29 leaves out the list whose length Vagrant needs; this is its report on the network `none`."""
    network = '[{"Name":"none","Driver":"null","IPAM":{"Driver":"default","Options":null}}]'
    length = 'VagrantPlugins::DockerProvider::Driver.new.inspect_network("none")[0]["IPAM"]["Config"].length'
    (tmp_path / "Vagrantfile").write_text(f'load "{PROVISION}/Vagrantfile"\nputs "#{{{length}}} subnets"\n')
    done = validated(tmp_path, bundled, vagrantfile=tmp_path, docker_says=network)
    assert "0 subnets\n" in done.stdout, done.stderr


def test_vagrant_refuses_what_the_spec_refuses(tmp_path: Path) -> None:
    """The message is that of a run, and comes before Vagrant looks at a machine."""
    spec = spec_of(tmp_path, "virtualbox", "el8")
    done = validated(tmp_path, spec)
    assert done.returncode != 0
    assert f"{spec}: providers.virtualbox: 'el8' has no section under systems (lab, debian12, el9)" in done.stderr

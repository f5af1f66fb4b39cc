"""The container runtime: containerd runs, fits kubelet and is ready for pods."""

import json
import tomllib
from typing import Any

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.needs("components.containerd")


def conditions(machine: Host) -> dict[str, bool]:
    """The conditions that the runtime reports over CRI, by type."""
    reported = json.loads(machine.check_output("crictl info"))["status"]["conditions"]
    return {condition["type"]: condition["status"] for condition in reported}


def contains(config: Any, part: Any) -> bool:
    """Whether the configuration `config` contains every value of `part`, at the same keys."""
    if not isinstance(part, dict):
        return bool(config == part)
    return isinstance(config, dict) and all(contains(config.get(name), value) for name, value in part.items())


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_runtime_is_running(machine: Host) -> None:
    """containerd runs."""
    assert machine.service("containerd").is_running


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_runtime_is_enabled(machine: Host) -> None:
    """containerd starts at boot."""
    assert machine.service("containerd").is_enabled


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.needs("scripts")
def test_runtime_is_supported(machine: Host) -> None:
    """containerd is version 2 or newer, as https://containerd.io/releases/#kubernetes-support requires."""
    version = machine.check_output("containerd --version").split()[2]
    assert int(version.removeprefix("v").split(".")[0]) >= 2


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.needs("components.kubeadm")
def test_sandbox_image_matches(machine: Host) -> None:
    """The runtime's pause image is kubeadm's, so that the node pulls only one."""
    version = machine.check_output("kubeadm version --output short")
    images = machine.check_output(f"kubeadm config images list --kubernetes-version {version}").split()
    config = tomllib.loads(machine.check_output("containerd config dump"))["plugins"]["io.containerd.cri.v1.images"]
    assert [config["pinned_images"]["sandbox"]] == [image for image in images if "/pause:" in image]


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.needs("scripts")
def test_runtime_reads_what_is_added(machine: Host) -> None:
    """Every setting in containerd's folder of additional files, /etc/containerd/conf.d, is in effect."""
    # containerd lists the folder as imported even if it does not read the files.
    files = machine.run("ls /etc/containerd/conf.d/*.toml").stdout.split()
    config = tomllib.loads(machine.check_output("containerd config dump"))
    assert [file for file in files if not contains(config, tomllib.loads(machine.file(file).content_string))] == []


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_cgroup_driver_matches(machine: Host) -> None:
    """kubelet and the runtime use the same cgroup driver: systemd's slices, or plain control groups."""
    runtime = json.loads(machine.check_output("crictl info"))["config"]["containerd"]["runtimes"]["runc"]
    pods = machine.check_output("find /sys/fs/cgroup -maxdepth 3 -type d -name 'kubepods*' -printf '%f\\n'").split()
    assert [name for name in pods if name.endswith(".slice") != runtime["options"]["SystemdCgroup"]] == []


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_cri_is_ready(machine: Host) -> None:
    """The runtime reports itself ready over CRI."""
    assert conditions(machine)["RuntimeReady"] is True


@pytest.mark.step("master_node.sh", "pod-network")
def test_cri_network_is_ready(machine: Host) -> None:
    """The runtime has a network for pods: the network plugin has written its configuration on the node."""
    assert conditions(machine)["NetworkReady"] is True

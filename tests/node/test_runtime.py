"""The container runtime."""

import json
import tomllib
from typing import Any

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.needs("components.containerd")


def conditions(machine: Host) -> dict[str, bool]:
    """What the runtime says of itself over CRI."""
    said = json.loads(machine.check_output("crictl info"))["status"]["conditions"]
    return {one["type"]: one["status"] for one in said}


def has_all(config: Any, part: Any) -> bool:
    """Whether a configuration has every value of a part of one."""
    if not isinstance(part, dict):
        return bool(config == part)
    return isinstance(config, dict) and all(has_all(config.get(name), value) for name, value in part.items())


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
    """containerd is 2 or newer, as https://containerd.io/releases/#kubernetes-support has it for this Kubernetes."""
    version = machine.check_output("containerd --version").split()[2]
    assert int(version.removeprefix("v").split(".")[0]) >= 2


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.needs("components.kubeadm")
def test_sandbox_image_matches(machine: Host) -> None:
    """The runtime's pause image is kubeadm's, so that no second one is pulled."""
    version = machine.check_output("kubeadm version --output short")
    images = machine.check_output(f"kubeadm config images list --kubernetes-version {version}").split()
    config = tomllib.loads(machine.check_output("containerd config dump"))["plugins"]["io.containerd.cri.v1.images"]
    assert [config["pinned_images"]["sandbox"]] == [image for image in images if "/pause:" in image]


@pytest.mark.step("install_pkg.sh", "container-runtime")
@pytest.mark.needs("scripts")
def test_runtime_reads_what_is_added(machine: Host) -> None:
    """What the files in containerd's folder for additions say is in force: it lists the folder even where not."""
    added = machine.run("ls /etc/containerd/conf.d/*.toml").stdout.split()
    config = tomllib.loads(machine.check_output("containerd config dump"))
    assert [file for file in added if not has_all(config, tomllib.loads(machine.file(file).content_string))] == []


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_cgroup_driver_matches(machine: Host) -> None:
    """kubelet's containers are in no other cgroups than the runtime's driver makes: of systemd's slices, or plain."""
    runtime = json.loads(machine.check_output("crictl info"))["config"]["containerd"]["runtimes"]["runc"]
    pods = machine.check_output("find /sys/fs/cgroup -maxdepth 3 -type d -name 'kubepods*' -printf '%f\\n'").split()
    assert [name for name in pods if name.endswith(".slice") != runtime["options"]["SystemdCgroup"]] == []


@pytest.mark.step("install_pkg.sh", "container-runtime")
def test_cri_is_ready(machine: Host) -> None:
    """The runtime answers over CRI, and calls itself ready."""
    assert conditions(machine)["RuntimeReady"] is True


@pytest.mark.step("master_node.sh", "pod-network")
def test_cri_network_is_ready(machine: Host) -> None:
    """The runtime has a network for pods: its provider has written its configuration on the node."""
    assert conditions(machine)["NetworkReady"] is True

"""Plain Vagrant brings a cluster of a hypervisor's machines up; it is kept, reused, replaced and destroyed.

There is no hypervisor here. A stand-in for Vagrant validates the spec as the Vagrantfile does, remembers its machines,
records each call and prints Vagrant's lines; ssh's stand-in prints the control plane's kubeconfig. All else is real.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from kubeproof.access.cluster import Cluster
from kubeproof.bring_up import lifecycle, state
from kubeproof.bring_up.hosting import Hypervisor
from kubeproof.lab.state import running as running_lab
from kubeproof.process import paths, progress
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import wait_for
from kubeproof.results.steps import BringUpFailed
from kubeproof.spec import load

NODES = ["m-k8s", "w1-k8s", "w2-k8s", "w3-k8s"]
VAGRANT = f"""#!{sys.executable}
import json, os, subprocess, sys, time
from pathlib import Path

memory = Path(__file__).parent
machines = memory / "machines.json"
validator = [os.environ["KUBEPROOF_PYTHON"], "-m", "kubeproof.spec", os.environ["KUBEPROOF_CLUSTER"]]
if sys.argv[1] in ("up", "destroy"):
    subprocess.check_call(validator, stdout=subprocess.DEVNULL)
spec = json.loads(Path(os.environ["KUBEPROOF_CLUSTER"]).read_text())
box = spec["systems"][spec["providers"][spec["provider"]]]["box"]
names = [node["name"] for node in spec["nodes"]]
running = json.loads(machines.read_text()) if machines.exists() else []
arguments = sys.argv[1:]
with (memory / "calls").open("a") as calls:
    calls.write(" ".join(arguments) + "\\n")
failing = (memory / "failing").read_text() if (memory / "failing").exists() else ""

if arguments[0] == "up" and len(arguments) == 2:
    name = arguments[1]
    print(f"==> {{name}}: Importing base box '{{box}}'...")
    machines.write_text(json.dumps([*running, name]))
    print(f"==> {{name}}: Waiting for machine to boot. This may take a few minutes...", flush=True)
    if failing == "up":
        sys.exit(f"==> {{name}}: Timed out while waiting for the machine to boot.")
    print(f"==> {{name}}: Machine booted and ready!")
    for script, step in [("config.sh", "hosts"), ("install_pkg.sh", "kube-packages")]:
        print(f"    {{name}}: ::step {{script}} {{step}} start 0")
        if failing == "provision" and script == "install_pkg.sh" and name == "w2-k8s":
            print(f"    {{name}}: ::failed {{script}} {{step}} line 70: dnf install")
            sys.exit(1)
        sys.stdout.flush()
        while (memory / "hanging").exists() and name == "w2-k8s":
            time.sleep(0.05)
        print(f"    {{name}}: ::step {{script}} {{step}} end 0")
elif arguments[0] == "ssh-config":
    for name in arguments[1:]:
        print(f"Host {{name}}\\n  HostName 127.0.0.1\\n  Port 2222\\n  User vagrant\\n")
elif arguments[0] == "status":
    for name in names:
        print(f"1,{{name}},state,{{'running' if name in running else 'not_created'}}")
elif arguments == ["destroy", "--force"]:
    if failing == "destroy":
        sys.exit("The VirtualBox VM is locked.")
    machines.write_text("[]")
else:
    sys.exit(f"unknown: {{arguments}}")
"""
ADMIN_CONF = {
    "clusters": [{"name": "kubernetes", "cluster": {"server": "https://m-k8s:6443", "certificate-authority-data": ""}}]
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-ins and their records; it is the first on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "vagrant").write_text(VAGRANT)
    (folder / "ssh").write_text(f"#!/bin/sh\ncat {folder}/admin.conf\n")
    (folder / "admin.conf").write_text(yaml.safe_dump(ADMIN_CONF))
    for program in ("vagrant", "ssh"):
        (folder / program).chmod(0o755)
    (folder / "calls").touch()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    """The default spec, with VirtualBox as its provider."""
    text = paths.DEFAULT_SPEC.read_text().replace("scripts: ..", f"scripts: {paths.DEFAULT_SPEC.parent.parent}")
    file = tmp_path / "spec.yaml"
    file.write_text(text.replace("provider: docker ", "provider: virtualbox "))
    return file


Provide = Callable[[], tuple[Cluster, bool]]


@pytest.fixture
def provide(programs: Path, spec_file: Path) -> Provide:
    """Provides the cluster of the spec, as a run does."""
    assert programs.is_dir()

    def call() -> tuple[Cluster, bool]:
        with state.holding_the_cluster(Progress(quiet=True)):
            return lifecycle.provide(load(spec_file), spec_file, Progress(quiet=True))

    return call


def calls(programs: Path) -> list[str]:
    """The calls of Vagrant in order, since this was last called."""
    lines = (programs / "calls").read_text().splitlines()
    (programs / "calls").write_text("")
    return lines


BROUGHT_UP = [*[f"up {name}" for name in NODES], f"ssh-config {' '.join(NODES)}"]


def test_machines_are_booted_provisioned_and_entered(provide: Provide, programs: Path) -> None:
    """Each machine is provisioned as soon as it is up."""
    _, created = provide()
    vagrant = calls(programs)
    assert created
    assert sorted(vagrant) == sorted(BROUGHT_UP)
    assert (vagrant[0], vagrant[-1]) == (BROUGHT_UP[0], BROUGHT_UP[-1])


def test_the_api_is_reached_at_the_control_planes_own_address(provide: Provide) -> None:
    """There is no relay, no lab and no network namespace."""
    cluster, _ = provide()
    [entry] = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    assert entry["cluster"]["server"] == "https://192.168.1.10:6443"
    assert "tls-server-name" not in entry["cluster"]
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert running_lab() is None


def test_a_kept_cluster_is_taken_as_it_is(provide: Provide, programs: Path) -> None:
    """Vagrant only reports whether its machines run."""
    first, _ = provide()
    calls(programs)
    assert provide() == (first, False)
    assert calls(programs) == ["status --machine-readable"]


def test_a_box_that_the_bring_up_determines_makes_no_other_cluster(
    provide: Provide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first build decides which source the programs of the lab's box come from."""
    boxes = ["from releases"]
    monkeypatch.setattr(Hypervisor, "start", lambda *_: boxes.append("from modules"))
    monkeypatch.setattr(Hypervisor, "box_of", lambda *_: boxes[-1])
    first, _ = provide()
    assert provide() == (first, False)


def test_a_cluster_of_another_spec_is_replaced(provide: Provide, programs: Path, spec_file: Path) -> None:
    """The old spec destroys the old machines, and the new one makes its own."""
    provide()
    calls(programs)
    text = spec_file.read_text()
    spec_file.write_text("\n".join(line for line in text.splitlines() if "name: w3-k8s" not in line))
    assert provide()[1]
    vagrant = calls(programs)
    assert vagrant[0] == "destroy --force"
    assert "up w3-k8s" not in vagrant
    assert "up w2-k8s" in vagrant


def test_a_cluster_whose_machines_do_not_run_is_replaced(provide: Provide, programs: Path) -> None:
    """As after somebody halted one."""
    provide()
    (programs / "machines.json").write_text(json.dumps(NODES[:-1]))
    assert provide()[1]


def test_destroying_leaves_nothing(provide: Provide, programs: Path, spec_file: Path, own_state: Path) -> None:
    """It needs no spec file; a second time it does nothing."""
    provide()
    calls(programs)
    spec_file.unlink()
    lifecycle.destroy(Progress(quiet=True))
    lifecycle.destroy(Progress(quiet=True))
    assert calls(programs) == ["destroy --force"]
    assert {file.name for file in own_state.iterdir()} == {"lock", "vagrant.log"}


def test_machines_that_can_not_be_destroyed_stay_recorded(provide: Provide, programs: Path) -> None:
    """`kubeproof destroy` quotes Vagrant, and can be tried again."""
    provide()
    (programs / "failing").write_text("destroy")
    run = subprocess.run([sys.executable, "-m", "kubeproof", "destroy"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "the cluster is still there" in run.stderr
    assert "The VirtualBox VM is locked." in run.stderr
    (programs / "failing").unlink()
    lifecycle.destroy(Progress(quiet=True))
    assert json.loads((programs / "machines.json").read_text()) == []


def test_a_failed_step_is_named_and_its_machine_can_be_entered(provide: Provide, programs: Path) -> None:
    """The error has script, step, line and machine; the steps before it had ended well."""
    (programs / "failing").write_text("provision")
    with pytest.raises(
        BringUpFailed, match=r"install_pkg.sh, step kube-packages, failed on w2-k8s at line 70"
    ) as failed:
        provide()
    assert "w2-k8s" in failed.value.reached
    assert "Host w2-k8s\n" in (paths.state() / "ssh_config").read_text()


def test_the_next_bring_up_destroys_one_that_failed_half_way(provide: Provide, programs: Path) -> None:
    """Some machines exist."""
    (programs / "failing").write_text("up")
    with pytest.raises(BringUpFailed, match="no step of a script had failed"):
        provide()
    (programs / "failing").unlink()
    calls(programs)
    assert provide()[1]
    assert calls(programs)[0] == "destroy --force"


def test_a_bring_up_that_hangs_names_the_step(
    programs: Path,
    spec_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """After a time without news, a line has machine, script and step."""
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.1)
    (programs / "hanging").touch()
    with state.holding_the_cluster(Progress(quiet=True)), ThreadPoolExecutor(1) as pool:
        brought_up = pool.submit(lifecycle.provide, load(spec_file), spec_file, Progress())
        errors: list[str] = []
        hung = r"vagrant up: 4 machines: nothing new for \d+ s, waiting for w2-k8s: config.sh hosts\n"
        wait_for("a line about the step", lambda: re.search(hung, captured(errors, capfd)), within=30)
        (programs / "hanging").unlink()
        assert brought_up.result(timeout=30)[1]


def captured(errors: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The whole standard error by now."""
    errors.append(capfd.readouterr().err)
    return "".join(errors)

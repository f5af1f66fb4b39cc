"""A machine needs only the built wheel: in an empty environment it installs the same command."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from kubeproof.process import paths
from selftests.sample_runs import result, write


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with only the wheel and its dependencies, at the pinned versions."""
    folder = tmp_path_factory.mktemp("wheel")
    # pip takes half a minute with a warm cache, and minutes without one.
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            f"--wheel-dir={folder}",
            ".",
        ],
        cwd=paths.CHECKOUT,
        check=True,
    )
    venv.create(folder / "venv", with_pip=True)
    pinned = [
        line.split()[0] for line in (paths.CHECKOUT / "requirements.lock").read_text().splitlines() if "==" in line
    ]
    (folder / "constraints.txt").write_text("\n".join(pinned))
    [wheel] = folder.glob("*.whl")
    programs = folder / "venv" / "bin"
    subprocess.run(
        [programs / "pip", "install", "--quiet", f"--constraint={folder / 'constraints.txt'}", wheel], check=True
    )
    return programs


@pytest.fixture
def spec(installed: Path, tmp_path: Path) -> Path:
    """The wheel's default spec in another folder."""
    look = "from kubeproof.process import paths; print(paths.DEFAULT_SPEC)"
    found = Path(subprocess.check_output([installed / "python", "-c", look], text=True, cwd="/").strip())
    assert found.is_relative_to(installed.parent)
    file = tmp_path / "spec.yaml"
    file.write_text(found.read_text().replace("scripts: ..", f"scripts: {found.parent.parent}"))
    return file


def kubeproof(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder, which stays empty."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    done = subprocess.run([installed / "kubeproof", *arguments], cwd=empty, capture_output=True, text=True, check=False)
    assert [*empty.iterdir()] == []
    return done


class TestWheel:
    """One installation for all: xdist runs a class on one worker."""

    def test_it_lists_its_commands(self, installed: Path, tmp_path: Path) -> None:
        """--help works as in a checkout."""
        done = kubeproof(installed, tmp_path, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert "verify" in done.stdout

    def test_its_checks_are_those_of_the_checkout(self, installed: Path, tmp_path: Path, spec: Path) -> None:
        """They have the same order, and pytest warns of nothing."""
        arguments = ["verify", f"--cluster={spec}", "--collect-only", "-q"]
        wheel = kubeproof(installed, tmp_path, *arguments)
        checkout = subprocess.run(
            [sys.executable, "-m", "kubeproof", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert wheel.returncode == checkout.returncode == 0
        assert [line for line in wheel.stdout.splitlines() if "::" in line] == [
            line for line in checkout.stdout.splitlines() if "::" in line
        ]
        assert "warning" not in wheel.stdout.lower()

    def test_it_makes_a_report(self, installed: Path, tmp_path: Path) -> None:
        """The wheel contains the templates."""
        folder = write(tmp_path / "run", [result()])
        done = kubeproof(installed, tmp_path, "report", str(folder))
        assert (done.returncode, done.stdout) == (0, f"{folder}/report.html\n"), done.stderr

    def test_it_writes_a_spec(self, installed: Path, tmp_path: Path) -> None:
        """The wheel contains the question to Vagrant; this Vagrantfile has a machine without an address."""
        (tmp_path / "Vagrantfile").write_text("Vagrant.configure('2') { |config| config.vm.define 'one' }\n")
        done = kubeproof(installed, tmp_path, "init", f"--vagrantfile={tmp_path}", "--quiet")
        assert (done.returncode, "vagrant ssh-config one" in done.stderr) == (1, True), done.stderr

    @pytest.mark.usefixtures("warm_cache")
    def test_its_doctor_looks_at_the_machine(self, installed: Path, tmp_path: Path, spec: Path) -> None:
        """The wheel contains the list of programs."""
        done = kubeproof(installed, tmp_path, "doctor", f"--cluster={spec}")
        assert done.returncode in (0, 1)  # it depends on this machine
        assert "ssh-keygen" in done.stdout

    def test_its_vagrantfile_finds_its_python(self, tmp_path: Path, spec: Path) -> None:
        """It needs no variable for that: Vagrant stops only because the lab does not run."""
        environment = {key: value for key, value in os.environ.items() if key != "KUBEPROOF_PYTHON"}
        done = subprocess.run(
            ["vagrant", "validate"],
            cwd=spec.parent,
            env={
                **environment,
                "KUBEPROOF_CLUSTER": str(spec),
                "VAGRANT_CWD": next(
                    line for line in spec.read_text().splitlines() if line.startswith("scripts:")
                ).split()[1],
                "VAGRANT_DOTFILE_PATH": str(tmp_path / ".vagrant"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert "The lab is not running" in done.stderr

"""The journal contains a fault from before it is made until its mending is proved."""

from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from kubeproof.bring_up import lifecycle
from kubeproof.experiments import faults


@pytest.fixture
def host() -> Host:
    """This machine: the faults below are files in a temporary folder."""
    return testinfra.get_host("local://")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The file that exists while the fault is in."""
    return tmp_path / "broken"


@pytest.fixture
def fault(broken: Path) -> faults.Fault:
    """A fault that a test can see."""
    return faults.Fault(name="a file is there", node="w1-k8s", make=f"touch {broken}", mend=f"rm -f {broken}")


def entries() -> list[Path]:
    """The files of the journal."""
    return list(faults.journal().glob("*.json"))


def passing() -> None:
    """Prove anything."""


def test_it_is_made_and_mended(fault: faults.Fault, host: Host, broken: Path) -> None:
    """The fault is in during the block, and gone after it."""
    with faults.injected(fault, host, is_in=passing, is_mended=passing):
        assert broken.exists()
        assert len(entries()) == 1
    assert not broken.exists()
    assert entries() == []


@pytest.mark.parametrize("way_out", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_it_is_mended_on_every_way_out(
    fault: faults.Fault, host: Host, broken: Path, way_out: type[BaseException]
) -> None:
    """Neither a failed check nor an interrupt leaves the fault in."""
    with pytest.raises(way_out), faults.injected(fault, host, is_in=passing, is_mended=passing):
        raise way_out
    assert not broken.exists()
    assert entries() == []


def failing() -> None:
    """Prove nothing."""
    raise AssertionError("no proof")


def test_a_fault_that_is_not_proved_in_is_mended(fault: faults.Fault, host: Host, broken: Path) -> None:
    """No check passes without a fault, and nothing is left."""
    with pytest.raises(AssertionError), faults.injected(fault, host, is_in=failing, is_mended=passing):
        pass
    assert not broken.exists()


def test_a_fault_that_is_not_proved_mended_stays_in_the_journal(fault: faults.Fault, host: Host) -> None:
    """The next run tries again."""
    with pytest.raises(AssertionError), faults.injected(fault, host, is_in=passing, is_mended=failing):
        pass
    assert len(entries()) == 1


def test_a_fault_that_can_not_be_mended_stays_in_the_journal(fault: faults.Fault, host: Host, tmp_path: Path) -> None:
    """The error names the fault and its machine."""
    mendable = tmp_path / "mendable"
    stubborn = fault.model_copy(update={"mend": f"test -e {mendable}"})
    with faults.injected(stubborn, host, is_in=passing, is_mended=passing):
        with pytest.raises(faults.NotMended, match="a file is there on w1-k8s, which a run left in, can't be mended"):
            faults.mend_all(lambda _: host, lifecycle)
        assert len(entries()) == 1
        mendable.touch()


def test_a_later_run_mends_what_a_killed_one_left(fault: faults.Fault, host: Host, broken: Path) -> None:
    """The journal alone contains enough to mend it."""
    killed = faults.injected(fault, host, is_in=passing, is_mended=passing)
    killed.__enter__()
    entered: list[str] = []

    def enter(name: str) -> Host:
        entered.append(name)
        return host

    assert faults.mend_all(enter, lifecycle) == [fault]
    assert entered == ["w1-k8s"]
    assert not broken.exists()
    assert entries() == []

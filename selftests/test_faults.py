"""A fault's undoing is on disk before it is made, and goes only when the mending is proved."""

from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from kubeproof.bring_up import lifecycle
from kubeproof.experiments import faults


@pytest.fixture
def host() -> Host:
    """This machine, on which the faults below are files in a temporary folder."""
    return testinfra.get_host("local://")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The file that is there while the fault is in."""
    return tmp_path / "broken"


@pytest.fixture
def fault(broken: Path) -> faults.Fault:
    """A fault that can be looked at."""
    return faults.Fault(name="a file is there", node="w1-k8s", make=f"touch {broken}", mend=f"rm -f {broken}")


def entries() -> list[Path]:
    """What the journal has."""
    return list(faults.journal().glob("*.json"))


def nothing() -> None:
    """A proof that always comes."""


def test_it_is_made_and_mended(fault: faults.Fault, host: Host, broken: Path) -> None:
    """In the block it is in; after it, it is not."""
    with faults.made(fault, host, is_in=nothing, is_mended=nothing):
        assert broken.exists()
        assert len(entries()) == 1
    assert not broken.exists()
    assert entries() == []


@pytest.mark.parametrize("way_out", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_it_is_mended_on_every_way_out(
    fault: faults.Fault, host: Host, broken: Path, way_out: type[BaseException]
) -> None:
    """Also where a check fails or a person interrupts."""
    with pytest.raises(way_out), faults.made(fault, host, is_in=nothing, is_mended=nothing):
        raise way_out
    assert not broken.exists()
    assert entries() == []


def failing() -> None:
    """A proof that does not come."""
    raise AssertionError("no proof")


def test_what_is_not_proved_in_is_mended(fault: faults.Fault, host: Host, broken: Path) -> None:
    """Nothing passes vacuously, and nothing is left."""
    with pytest.raises(AssertionError), faults.made(fault, host, is_in=failing, is_mended=nothing):
        pass
    assert not broken.exists()


def test_what_is_not_proved_mended_stays_in_the_journal(fault: faults.Fault, host: Host) -> None:
    """The next run is to try."""
    with pytest.raises(AssertionError), faults.made(fault, host, is_in=nothing, is_mended=failing):
        pass
    assert len(entries()) == 1


def test_what_can_not_be_mended_stays_in_the_journal(fault: faults.Fault, host: Host, tmp_path: Path) -> None:
    """And who tries is told so."""
    mendable = tmp_path / "mendable"
    stubborn = fault.model_copy(update={"mend": f"test -e {mendable}"})
    with faults.made(stubborn, host, is_in=nothing, is_mended=nothing):
        with pytest.raises(faults.NotMended, match="a file is there on w1-k8s, which a run left in, can't be mended"):
            faults.mend_all(lambda _: host, lifecycle)
        assert len(entries()) == 1
        mendable.touch()


def test_a_later_run_mends_what_a_killed_one_left(fault: faults.Fault, host: Host, broken: Path) -> None:
    """From the journal alone."""
    killed = faults.made(fault, host, is_in=nothing, is_mended=nothing)
    killed.__enter__()
    asked: list[str] = []

    def enter(name: str) -> Host:
        asked.append(name)
        return host

    assert faults.mend_all(enter, lifecycle) == [fault]
    assert asked == ["w1-k8s"]
    assert not broken.exists()
    assert entries() == []

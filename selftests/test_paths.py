"""A file for other processes is always complete."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubeproof.process import paths

WRITERS, TIMES = 4, 500


def test_several_writers_write_the_same_file(tmp_path: Path) -> None:
    """As xdist's workers do: each writes the whole file, and none disturbs another."""
    file, text = tmp_path / "file", "line\n" * 1000

    def write(_: int) -> None:
        paths.write_whole(file, text)

    with ThreadPoolExecutor(WRITERS) as pool:
        assert len([*pool.map(write, range(TIMES))]) == TIMES
    assert file.read_text() == text
    assert [*tmp_path.iterdir()] == [file]

"""What is written for others to read is whole."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubeproof.process import paths

WRITERS, TIMES = 4, 500


def test_a_file_is_written_by_several_at_a_time(tmp_path: Path) -> None:
    """As xdist's workers do: each writes it whole, none is in another's way."""
    file, text = tmp_path / "file", "said\n" * 1000

    def write(_: int) -> None:
        paths.write_whole(file, text)

    with ThreadPoolExecutor(WRITERS) as pool:
        assert len([*pool.map(write, range(TIMES))]) == TIMES
    assert file.read_text() == text
    assert [*tmp_path.iterdir()] == [file]

"""A plugin of pytest: the checks that come with kubeproof, judged from any folder.

It is named by `-p`, since xdist's workers are given the same words as the process that the person started.
"""

from pathlib import Path

import pytest

from kubeproof.process import paths

pytest_plugins = ["kubeproof.pytest_plugin"]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Complete what the person named, as pytest has parsed it.

    Where no check is named, all that come with kubeproof are meant; tests/node is theirs from everywhere.
    Raises pytest.UsageError for what is not there, which would end a worker of xdist in a traceback.
    """
    known = early_config.known_args_namespace
    meant = {name: _found(name) for name in known.file_or_dir}
    lost = [name for name, path in meant.items() if not (known.pyargs or _file(path).exists())]
    if lost:
        raise pytest.UsageError(f"file or directory not found: {', '.join(lost)}")
    args[:] = [meant.get(word, word) for word in args]
    if not meant:
        args.append(str(paths.CHECKS))
    known.file_or_dir = [*meant.values()] or [str(paths.CHECKS)]


def _file(name: str) -> Path:
    return Path(name.partition("::")[0])


def _found(name: str) -> str:
    ours = paths.CHECKOUT / name
    return name if _file(name).exists() or not _file(str(ours)).exists() else str(ours)

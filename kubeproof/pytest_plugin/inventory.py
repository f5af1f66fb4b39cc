"""A pytest plugin that judges the bundled checks from any folder; `kubeproof verify` names it by `-p`.

It is a plugin, and no change of the command line, because xdist's workers are given the person's own words.
"""

from pathlib import Path

import pytest

from kubeproof.process import paths

pytest_plugins = ["kubeproof.pytest_plugin"]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Find the checks that the person named, in the current folder or among the bundled ones; without a name, all.

    Raises pytest.UsageError for a path that is nowhere; a worker of xdist would end in a traceback instead.
    """
    known = early_config.known_args_namespace
    found = {name: _found(name) for name in known.file_or_dir}
    lost = [name for name, path in found.items() if not (known.pyargs or _file(path).exists())]
    if lost:
        raise pytest.UsageError(f"file or directory not found: {', '.join(lost)}")
    args[:] = [found.get(word, word) for word in args]
    if not found:
        args.append(str(paths.CHECKS))
    known.file_or_dir = [*found.values()] or [str(paths.CHECKS)]


def _file(name: str) -> Path:
    return Path(name.partition("::")[0])


def _found(name: str) -> str:
    bundled = paths.CHECKOUT / name
    return str(bundled) if not _file(name).exists() and _file(str(bundled)).exists() else name

"""The checks that come with kubeproof, as pytest judges them from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeproof import paths


class Inventory:
    """Where no check is named, all that come with kubeproof are meant; tests/node is theirs from everywhere."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config, args: list[str]) -> None:
        """Complete what the person named, as pytest has parsed it."""
        named: list[str] = early_config.known_args_namespace.file_or_dir
        meant = {name: _found(name) for name in named}
        args[:] = [meant.get(word, word) for word in args]
        if not named:
            args.append(str(paths.CHECKS))
        named[:] = meant.values() if named else [str(paths.CHECKS)]


def _found(name: str) -> str:
    path, separator, rest = name.partition("::")
    ours = paths.CHECKOUT / path
    return name if Path(path).exists() or not ours.exists() else f"{ours}{separator}{rest}"


def judge(arguments: list[str]) -> int:
    """Run pytest on the inventory with the configuration that comes with it, and return pytest's status.

    `arguments` are pytest's. What pytest remembers for --lf is kept in the current folder.
    """
    ours = ["-c", str(paths.CHECKOUT / "pyproject.toml"), "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    return int(pytest.main([*ours, "-n", "auto", *arguments], plugins=[Inventory()]))

"""A short digest of contents, for names that must change when the contents do."""

import hashlib
from pathlib import Path


def fingerprint(*recipe: str | Path) -> str:
    """The first 16 hex digits of a digest of texts and of the contents of files and folders."""
    digest = hashlib.sha256()
    for ingredient in recipe:
        for content in _contents(ingredient):
            digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _contents(ingredient: str | Path) -> list[bytes]:
    if isinstance(ingredient, str):
        return [ingredient.encode()]
    files = sorted(path for path in ingredient.rglob("*") if path.is_file()) if ingredient.is_dir() else [ingredient]
    return [part for file in files for part in (str(file.relative_to(ingredient)).encode(), file.read_bytes())]

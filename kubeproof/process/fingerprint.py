"""A short digest of things by their content, for names that change when the content does."""

import hashlib
from pathlib import Path


def fingerprint(*recipe: str | Path) -> str:
    """A short digest of texts and of files and folders by their content."""
    digest = hashlib.sha256()
    for ingredient in recipe:
        for text in _contents(ingredient):
            digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()[:16]


def _contents(ingredient: str | Path) -> list[bytes]:
    if isinstance(ingredient, str):
        return [ingredient.encode()]
    files = sorted(path for path in ingredient.rglob("*") if path.is_file()) if ingredient.is_dir() else [ingredient]
    return [part for file in files for part in (str(file.relative_to(ingredient)).encode(), file.read_bytes())]

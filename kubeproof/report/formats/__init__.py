"""The formats of a report: each module here is one, and needs no other entry.

A format has the name of its file, FILE, and `render(run: Document, folder: Path) -> str`, which returns the text of
that file; `folder` is the run's, for the files that its results name.
"""

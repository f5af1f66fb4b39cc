"""Sphinx's configuration for `make docs`. Neither the build nor the pages send a request to the network."""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

project = "kubeproof"
author = "the authors of kubeproof"
extensions = ["myst_parser", "reference"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "kubeproof"
html_show_copyright = False
html_extra_path = ["results.schema.json"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3


def setup(app: Sphinx) -> None:
    """Show a picture's source as text: its renderer is a script of another host."""
    app.add_lexer("mermaid", TextLexer)

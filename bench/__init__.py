"""How long the main job takes, measured in one run."""

"""Measures how long the main job takes, beside a peer and beside the floor, in one run."""

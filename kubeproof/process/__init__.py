"""Programs, files and waiting: the ground that every other room stands on.

This room never knows what a cluster is.
"""

"""The way from a spec to running machines: Vagrant, the place where machines run, and the record that is kept of them.

This room never knows the checks, or what they say.
"""

"""Ways into a cluster: its API, and its machines over ssh.

This room never knows whether an answer is right, how the cluster was made, or what runs the checks.
"""

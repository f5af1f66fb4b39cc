"""This room enters a cluster: its API, and its machines over ssh.

It never knows whether an answer is right, how the cluster was made, or what runs the checks.
"""

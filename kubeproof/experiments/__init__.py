"""This room makes faults, proves them in, watches the cluster, mends them, and measures by pods that talk.

It never knows how machines are made: a provider that it is given reboots and provisions them.
"""

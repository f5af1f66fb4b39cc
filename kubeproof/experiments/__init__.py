"""Faults that are made, proved, watched and mended, and the traffic and timers that tell how a cluster bears them.

This room never knows how machines are made: their provider is handed in.
"""

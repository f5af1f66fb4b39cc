"""Turns a spec into running machines with Vagrant, keeps the record of them, and ends them again.

It never knows the checks or their results.
"""

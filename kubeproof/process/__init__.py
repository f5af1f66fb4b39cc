"""Runs programs, writes files, waits and shows progress: every other room builds on this one.

It never knows what a cluster is; paths.py only names the files and folders that several rooms share.
"""

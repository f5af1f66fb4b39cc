"""The record of a run: verdicts, evidence, blame, timelines, and the document made of them.

This room never knows how a check runs or how a report looks.
"""

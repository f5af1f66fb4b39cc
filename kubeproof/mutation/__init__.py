"""The mutation gate: breaks the provisioning scripts one edit at a time, and demands that a check notices each edit.

It provisions each mutant on its own machine beside a living cluster, and never knows what a check looks at.
"""

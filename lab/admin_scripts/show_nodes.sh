#!/usr/bin/env bash
# Purpose: shows the nodes with their addresses, as an administrator on the control plane sees them.
kubectl get nodes --output wide

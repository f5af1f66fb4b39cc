#!/usr/bin/env bash
# Purpose: shows the pods of every namespace with the nodes that they run on.
kubectl get pods --all-namespaces --output wide

"""The embedded default: real machines in containers, on a Docker daemon and in a network of their own."""

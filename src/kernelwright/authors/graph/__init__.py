"""Capture of a Problem as a graph of typed operations, and its printing as plain PyTorch."""

"""The algebraic rewriter: equality saturation over the exported graph, with rules as records.

Its result is plain PyTorch.
"""

"""Shipped Metal programs as a yardstick: which of them compile here, and whether their kernels compute what they say.

Nothing of a corpus lies here. The scripts above this folder are given the path of a checkout; ``mlx`` and ``ggml``
know what its kernels are called, what they are called with and what they should answer.
"""

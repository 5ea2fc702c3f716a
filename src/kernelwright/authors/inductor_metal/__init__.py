"""The ``inductor-metal`` Author: TorchInductor's Metal back end, made to write for a Mac where there is none.

The way of a Problem: ``trace`` (the reference as Inductor's wrapper code, for fake tensors on ``mps``) → ``wrapper``
(that code as kernels and statements) → ``statements`` and ``shader`` (both made readable) → ``write`` (the file).
"""

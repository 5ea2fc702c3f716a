"""The algebraic rewriter: equality saturation over the exported graph, rules as records, plain PyTorch as the result."""

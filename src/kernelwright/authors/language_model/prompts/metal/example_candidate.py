class ModelNew:
    pass  # placeholder

class Model:
    pass  # placeholder

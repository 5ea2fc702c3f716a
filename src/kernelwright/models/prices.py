"""What a call costs, from the tables of genai-prices."""

from kernelwright.schema import Usage


def cost(provider: str, model: str, usage: Usage) -> float | None:
    """Dollars; ``None`` where the model has no published price or the provider did not count its tokens."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    tokens = Tokens(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_read_tokens=usage.cached_tokens
    )
    try:
        return float(calc_price(tokens, model, provider_id=provider).total_price)
    except (LookupError, ValueError):  # unknown model; counts that contradict each other
        return None

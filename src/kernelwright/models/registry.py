"""Models by their names."""

from importlib.util import find_spec

from kernelwright.models.client import ProviderModel
from kernelwright.models.limits import Limits
from kernelwright.models.names import parse

EXTRA = "pip install 'kernelwright[llm]'"


def get(name: str) -> ProviderModel:
    """The model of that name, ready to be asked; nothing is sent yet.

    Raises ``LookupError`` with one line for a name that is none, a key that is not set and a package that is missing.
    """
    found = parse(name)
    provider = found.provider
    if provider.needs_key and provider.key() is None:
        raise LookupError(f"no key for {provider.name}: set {' or '.join(provider.key_names)}")
    if find_spec("pydantic_ai") is None:
        raise LookupError(f"models need another package: {EXTRA}")
    try:
        return ProviderModel(found, Limits.from_environment())
    except ValueError as error:
        raise LookupError(str(error)) from None

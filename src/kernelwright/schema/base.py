"""What every record shares: frozen, closed to unknown fields, readable back from its own JSON."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value. Unknown fields are errors, so that a schema change never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

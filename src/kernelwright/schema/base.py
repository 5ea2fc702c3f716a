"""What every record shares: frozen, closed to unknown fields, readable back from its own JSON."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value. Unknown fields are errors, so that a schema change never passes silently."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
        ser_json_inf_nan="strings",  # an error may be NaN; JSON has no number for it, and null could not be read back
    )

"""Types that all parts of the configuration share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _distinct(values: list) -> list:
    if twice := [v for i, v in enumerate(values) if v in values[:i]]:
        raise ValueError(f"'{twice[0]}' is listed twice")
    return values


Distinct = AfterValidator(_distinct)


class Strict(BaseModel):
    """Unknown keys, lax conversions and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())

"""JSON files, checked as they are read: people edit them, and copies are cut short."""

import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError


def read_json(path: Path, schema: type[BaseModel]) -> dict:
    """Return the contents of a JSON file, whose entries that a schema names have its types.

    Raises:
        ValueError: it cannot be read, is no JSON, or an entry is of another type; says which.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if path.stat().st_size == 0 else str(error)
        raise ValueError(f"`{path}` must be JSON, but cannot be read: {reason}.") from error
    try:
        schema.model_validate(content, strict=True)
    except ValidationError as error:
        raise ValueError(f"`{path}` {first_fault(error)}.") from error
    return content


def first_fault(error: ValidationError) -> str:
    """Return the first error of a validation as the rest of a sentence."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "it"
    got = repr(first["input"])
    got = got if len(got) < 80 else got[:77] + "..."
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"is not as it was written: at `{place}`, {reason}, got {got}"


def plain(value: Any) -> Any:
    """Return data as JSON can hold them: null for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

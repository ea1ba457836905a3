"""Write the parts of botocore's models of EC2 and STS that the library needs.

They are kept in the repository, made from the newest botocore: an older one takes them too, and reads fields of answers with
them that its own model does not have yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

from ocf_aws.aws.loading import OPERATIONS, SERVICE_MODELS


def cut(model: dict[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """The model with these operations alone, the shapes that they need, and no documentation."""
    kept = {name: without_documentation(model["operations"][name]) for name in sorted(operations)}
    shapes: dict[str, Any] = {}
    names = list(shape_names(kept))
    while names:
        name = names.pop()
        if name not in shapes:
            shapes[name] = without_documentation(model["shapes"][name])
            names += shape_names(shapes[name])
    return {**without_documentation(model), "operations": kept, "shapes": dict(sorted(shapes.items()))}


def shape_names(part: Any) -> list[str]:
    """The names of the shapes that a part of a model refers to."""
    if isinstance(part, list):
        return [name for each in part for name in shape_names(each)]
    if not isinstance(part, dict):
        return []
    own = [part["shape"]] if isinstance(part.get("shape"), str) else []
    return own + [name for each in part.values() for name in shape_names(each)]


def without_documentation(part: Any) -> Any:
    """A part of a model without its texts for people."""
    if not isinstance(part, dict):
        return part
    return {
        key: without_documentation(value)
        for key, value in part.items()
        if key not in ("documentation", "documentationUrl") or not isinstance(value, str)
    }


def part(service: str) -> str:
    """What the library needs of the model of a service."""
    model = cut(Loader().load_service_model(service, "service-2"), OPERATIONS[service])
    return json.dumps(model, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    for name in OPERATIONS:
        Path(SERVICE_MODELS, f"{name}.json").write_text(part(name))

"""Write the parts of botocore's models of EC2 and STS that the library needs into a directory: service_models.py DIRECTORY

`make install` runs it, for the botocore of the interpreter that is to run the agents. Without botocore it says so and writes
nothing: the agents then load the whole models, which takes longer. Any other botocore takes these parts too.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ocf_aws.aws.loading import OPERATIONS


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


def main(directory: Path) -> int:
    """Write the parts; returns the exit status."""
    try:
        from botocore.loaders import Loader
    except ImportError as error:
        print(f"No botocore here ({error}): the agents will load the whole models of EC2 and STS", file=sys.stderr)
        return 0
    directory.mkdir(exist_ok=True)
    for service, operations in OPERATIONS.items():
        model = cut(Loader().load_service_model(service, "service-2"), operations)
        file = directory / f"{service}.json"
        # Another installation may be reading it.
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(model, separators=(",", ":")) + "\n")
        fresh.replace(file)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

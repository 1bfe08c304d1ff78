"""The JSON Schema of scenario files, `extends` and shorthands included."""

from __future__ import annotations

from typing import Any

from twin.scenario import distributions, units
from twin.scenario.model import Scenario

# Sections that a what-if file may give in part, because tables merge key by key.
_MERGED = (
    "Scenario", "Busyness", "Bursts", "RandomOutages", "Pool", "Arrivals", "Workflow", "Status",
    "Step",
)  # fmt: skip


def json_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files, `extends` and shorthands included."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Scenario of a support desk"
    # A file that extends another gives only what differs.
    for name in _MERGED:
        (schema if name == "Scenario" else schema["$defs"][name]).pop("required", None)
    defs = schema["$defs"]
    # A step of a workflow may be its chance alone.
    chance = {key: defs["Step"]["properties"]["chance"][key] for key in ("minimum", "maximum")}
    defs["Step"] = {"anyOf": [{"type": "number", **chance}, defs["Step"]]}
    extends = {
        "type": "string",
        "description": "another scenario file; this one holds what differs",
    }
    # A file's name stands for its tables.
    schema["properties"]["models"]["type"] = ["object", "string"]
    schema["properties"] = {"extends": extends, **schema["properties"]}
    kinds = {f"#/$defs/{kind.__name__}" for kind in distributions.KINDS.values()}
    _mend(schema, kinds)
    return schema


def _mend(node: Any, kinds: set[str]) -> None:
    """Adapt pydantic's schema to TOML: no null, durations as text, amounts for constants."""
    if isinstance(node, list):
        for inner in node:
            _mend(inner, kinds)
    if not isinstance(node, dict):
        return
    options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        del node["anyOf"]
        node |= {**options[0], **node}
    elif options:
        node["anyOf"] = options
    options = node.get("oneOf", [])
    if options and all(option.get("$ref") in kinds for option in options):
        del node["oneOf"]
        node["anyOf"] = [{"type": ["string", "number"]}, *options]
    if "default" in node and node["default"] is None:
        del node["default"]
    if node.get("type") == "string" and isinstance(node.get("default"), float):
        node["default"] = units.format_duration(node["default"])
    for key, inner in node.items():
        if key != "default":
            _mend(inner, kinds)

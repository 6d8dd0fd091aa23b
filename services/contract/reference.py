"""The settings' own words -> docs/settings.md: `python -m services.contract.reference > docs/settings.md`."""

import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.contract.settings import Settings

OPENING = """# Settings

Every key, as the code says it; a test compares this page with the code (`python -m services.contract.reference > docs/settings.md` writes it).

Who wins, from the top: an argument of a command, the environment, the addresses of a running stack (`<home>/endpoints.json`), `loupe.toml`, the default.
`LOUPE_REDIS__URL=...` in the environment is `url` under `[redis]` in `loupe.toml`; lists and tables are JSON there (`LOUPE_LINES='[]'`).
`LOUPE_CONFIG` names another file than `./loupe.toml`, `LOUPE_LOG_LEVEL` is DEBUG, INFO, WARNING or ERROR.
A mistake ends the command with one line that names the key, the value and what was expected.

An address that is not set is that of the embedded part, which `loupe up` then starts itself. `client`, `producer` and `consumer` tables
reach kafka-python and redis-py unchanged, so whatever they can do (TLS, SASL, timeouts) needs no word of ours.
"""

SOURCES = """
## Sources

What a camera's `source` may be:

| source | pictures |
|---|---|
| `folder:PATH?fps=5&loop=1&order=sorted&seed=0` | JPEG and PNG files below PATH, `order=shuffled` by a seed; `.../test/<class>/` gives them their truth |
| `video:PATH?fps=25&loop=1` | frames of a file; without fps at its own speed |
| `synthetic:KIND?fps=2&seed=1&defects=0.1` | a procedural line (brushed-metal, woven-fabric, moulded-plastic, ceramic-tile); that share is defective |
| `push:` | whatever is posted to `/api/v1/lines/{line}/cameras/{camera}/frames` on ingest's port with the line's token |

`fps=0` sends as fast as Kafka takes it (folders and synthetic lines).
"""

Row = tuple[str, FieldInfo]


def settings_reference() -> str:
    """The whole page."""
    scattered = [row for row in Settings.model_fields.items() if _section(row[1]) is None]
    parts = [OPENING, _table("At the top of the file", "", scattered)]
    parts += [_of_section(name, field) for name, field in Settings.model_fields.items() if _section(field) is not None]
    return "".join([*parts, SOURCES])


def undescribed(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Keys that nobody has explained."""
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is not None:
            yield from undescribed(section, f"{prefix}{name}.")
        elif not field.description:
            yield f"{prefix}{name}"


def _of_section(name: str, field: FieldInfo) -> str:
    section = _section(field)
    assert section is not None
    many = typing.get_origin(field.annotation) is tuple
    heading = f"[[{name}]]" if many else f"[{name}]"
    plain = [row for row in section.model_fields.items() if _section(row[1]) is None]
    nested = [row for row in section.model_fields.items() if _section(row[1]) is not None]
    inner = "".join(_table(f"{key} of [[{name}]]", "", list(_fields(found))) for key, found in nested)
    return _table(heading, "" if many else f"LOUPE_{name.upper()}__", plain) + inner


def _fields(field: FieldInfo) -> Iterator[Row]:
    section = _section(field)
    assert section is not None
    yield from section.model_fields.items()


def _table(heading: str, variable: str, rows: list[Row]) -> str:
    where = f"\nIn the environment: `{variable}` and the key in capitals.\n" if variable else ""
    lines = [f"| `{name}` | {_type(field)} | {_default(field)} | {field.description} |" for name, field in rows]
    return "\n".join([f"\n## {heading}", f"{where}", "| key | value | default | meaning |", "|---|---|---|---|", *lines, ""])


def _section(field: FieldInfo) -> type[BaseModel] | None:
    candidates = (field.annotation, *typing.get_args(field.annotation))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _type(field: FieldInfo) -> str:
    bounds = [f"{sign} {_number(getattr(one, name))}" for one in field.metadata for name, sign in _BOUNDS.items() if getattr(one, name, None) is not None]
    return ", ".join([_type_name(field.annotation), *bounds])


_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", SecretStr: "secret", dict: "table", tuple: "list"}


def _type_name(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type_name(one) for one in arguments if one is not type(None))
    kind = origin or annotation
    return _WORDS.get(kind, "path" if kind.__name__ == "Path" else kind.__name__)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value in (None, "", (), {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _number(value: float) -> str:
    return f"{value:g}" if value < 1e6 else str(int(value))


if __name__ == "__main__":
    sys.stdout.write(settings_reference())

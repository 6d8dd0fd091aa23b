"""What goes over /ws/live: length of the JSON (u32, big endian), the JSON, the picture's and the map's bytes, whose sizes the JSON names."""

import json
import struct
from collections.abc import Mapping
from typing import Any

_LENGTH = struct.Struct(">I")


def pack(kind: str, head: Mapping[str, Any], *, jpeg: bytes = b"", anomaly_map: bytes = b"") -> bytes:
    text = json.dumps({"kind": kind, **head, "jpeg": len(jpeg), "map": len(anomaly_map)}, separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(text)), text, jpeg, anomaly_map))


def unpack(packet: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """(JSON, picture, map); ValueError where the sizes do not add up."""
    end = _LENGTH.size + _LENGTH.unpack_from(packet)[0]
    head = json.loads(packet[_LENGTH.size : end])
    picture_end = end + head["jpeg"]
    if len(packet) != picture_end + head["map"]:
        raise ValueError(f"packet: expected {picture_end + head['map']} bytes, got {len(packet)}")
    return head, packet[end:picture_end], packet[picture_end:]

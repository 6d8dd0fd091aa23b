"""`folder:PATH?loop=1&fps=5` -> where a camera's pictures come from, checked before anything is opened.

`folder:PATH?fps=5&loop=1&order=sorted|shuffled&seed=1`, `video:PATH?fps=25&loop=1`, `synthetic:KIND?fps=2&seed=1&defects=0.1`, `push:`.
fps=0 sends as fast as Kafka takes them (folders and synthetic lines), or at the video's own speed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, unquote

from services.ingest.errors import SourceAddressError
from services.ingest.synthetic import KINDS

MAX_FPS = 1000.0


@dataclass(frozen=True, slots=True)
class FolderAddress:
    path: Path
    fps: float = 5
    loop: bool = True
    order: Literal["sorted", "shuffled"] = "sorted"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class VideoAddress:
    path: Path
    fps: float = 0
    loop: bool = True


@dataclass(frozen=True, slots=True)
class SyntheticAddress:
    kind: str
    fps: float = 2
    seed: int = 1
    defects: float = 0.1


@dataclass(frozen=True, slots=True)
class PushAddress:
    """Pictures arrive over HTTP."""


Address = FolderAddress | VideoAddress | SyntheticAddress | PushAddress
Value = TypeVar("Value")


def parse_source(source: str) -> Address:
    """Raises SourceAddressError."""
    scheme, colon, rest = source.partition(":")
    if not colon or scheme not in _PARSERS:
        raise SourceAddressError(f"source: expected {', '.join(f'{name}:' for name in _PARSERS)} in front, got {source!r}")
    where, _, query = rest.partition("?")
    options = _Options(scheme, query)
    address = _PARSERS[scheme](unquote(where), options)
    options.check_all_known()
    return address


def _folder(where: str, options: "_Options") -> FolderAddress:
    order = options.take("order", str, "sorted", "sorted or shuffled", lambda value: value in ("sorted", "shuffled"))
    return FolderAddress(_path("folder", where), options.fps(5), options.flag("loop", True), "shuffled" if order == "shuffled" else "sorted", options.seed(0))


def _video(where: str, options: "_Options") -> VideoAddress:
    return VideoAddress(_path("video", where), options.fps(0), options.flag("loop", True))


def _synthetic(where: str, options: "_Options") -> SyntheticAddress:
    if where not in KINDS:
        raise SourceAddressError(f"source synthetic: expected one of {', '.join(KINDS)}, got {where!r}")
    defects = options.take("defects", float, 0.1, "a share, 0 to 1", lambda share: 0 <= share <= 1)
    return SyntheticAddress(where, options.fps(2), options.seed(1), defects)


def _push(where: str, options: "_Options") -> PushAddress:
    if where:
        raise SourceAddressError(f"source push: expected nothing behind the colon, got {where!r}")
    return PushAddress()


_PARSERS: Mapping[str, Callable[[str, "_Options"], Address]] = {"folder": _folder, "video": _video, "synthetic": _synthetic, "push": _push}


class _Options:
    """The `?key=value` part; what nobody took is a mistake."""

    def __init__(self, scheme: str, query: str) -> None:
        self._scheme = scheme
        self._known: list[str] = []
        try:
            self._given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        except ValueError as error:
            raise SourceAddressError(f"source {scheme}: expected key=value&key=value behind the '?', got {query!r}") from error

    def take(self, key: str, convert: Callable[[str], Value], default: Value, expected: str, good: Callable[[Value], bool]) -> Value:
        self._known.append(key)
        if key not in self._given:
            return default
        try:
            value = convert(self._given[key])
        except ValueError:
            value = None
        if value is None or not good(value):
            raise SourceAddressError(f"source {self._scheme}, {key}: expected {expected}, got {self._given[key]!r}")
        return value

    def fps(self, default: float) -> float:
        return self.take("fps", float, default, f"frames per second, 0 to {MAX_FPS:g}", lambda fps: 0 <= fps <= MAX_FPS)

    def seed(self, default: int) -> int:
        return self.take("seed", int, default, "a whole number >= 0", lambda seed: seed >= 0)

    def flag(self, key: str, default: bool) -> bool:
        return self.take(key, str, "1" if default else "0", "0 or 1", lambda value: value in ("0", "1")) == "1"

    def check_all_known(self) -> None:
        unknown = sorted(set(self._given) - set(self._known))
        if unknown:
            raise SourceAddressError(f"source {self._scheme}, {unknown[0]}: expected one of {self._known}, got {unknown[0]}={self._given[unknown[0]]!r}")


def _path(scheme: str, where: str) -> Path:
    if not where:
        raise SourceAddressError(f"source {scheme}: expected a path behind the colon, got none")
    return Path(where).expanduser()

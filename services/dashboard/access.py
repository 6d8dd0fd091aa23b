"""What a call needs: every page, route and socket with the role that may have it. What is not in the table, nobody may have."""

import re
from functools import cache
from typing import Literal

from services.records.accounts import Role

Needed = Role | Literal["anybody"] | None
"""None: nobody."""

ANYBODY: Literal["anybody"] = "anybody"
UNDECIDED = frozenset({"/password", "/logout", "/api/v1/session"})
"""All that is open to somebody who has yet to choose a password of their own."""

# `*` is one step of a path, `**` all the rest; the first row that fits decides. GET stands for HEAD too, WS for opening a WebSocket.
_TABLE: dict[Needed, tuple[str, ...]] = {
    ANYBODY: (
        "GET /login",
        "POST /login",
        "GET /healthz",
        "GET /readyz",
        "GET /favicon.ico",
        "GET /assets/style.css",
        "GET /assets/theme.js",
        "GET /assets/logo.svg",
    ),
    Role.OPERATOR: (
        "GET /",
        "GET /line/*",
        "GET /line/*/thresholds",
        "GET /review",
        "GET /history",
        "GET /quality",
        "GET /lines",
        "GET /training",
        "GET /models",
        "GET /password",
        "POST /password",
        "POST /logout",
        "GET /assets/*",
        "GET /_nicegui/**",
        "WS /_nicegui_ws/**",
        "WS /ws/live",
        "GET /api/v1/docs",
        "GET /api/v1/openapi.json",
        "GET /api/v1/session",
        "GET /api/v1/status",
        "GET /api/v1/alarms",
        "GET /api/v1/replicas",
        "GET /api/v1/replicas/holding",
        "GET /api/v1/lines",
        "GET /api/v1/lines/*/inspections",
        "GET /api/v1/lines/*/recorded",
        "GET /api/v1/lines/*/scores",
        "GET /api/v1/lines/*/calibration",
        "GET /api/v1/lines/*/models",
        "GET /api/v1/models/*",
        "GET /api/v1/lines/*/calibration/suggestion",
        "GET /api/v1/flagged",
        "GET /api/v1/inspections/**",
        "GET /api/v1/parts/**",
        "GET /api/v1/frames/**",
        "GET /api/v1/jobs",
        "GET /api/v1/training",
        "GET /api/v1/jobs/*",
        "GET /api/v1/jobs/*/losses",
        "GET /api/v1/jobs/*/log",
        "GET /api/v1/jobs/*/changes/*/image",
        "GET /api/v1/datasets",
        "GET /api/v1/datasets/*",
        "GET /api/v1/history",
        "GET /api/v1/history/**",
        "GET /api/v1/history.csv",
        "GET /api/v1/quality",
        "GET /api/v1/quality.csv",
        "GET /api/v1/review",
        "GET /api/v1/review/**",
    ),
    Role.SUPERVISOR: (
        "GET /api/v1/history.zip",
        "POST /api/v1/lines/*/pause",
        "POST /api/v1/lines/*/resume",
        "PATCH /api/v1/lines/*",
        "POST /api/v1/lines/*/products",
        "PUT /api/v1/lines/*/calibration",
        "POST /api/v1/lines/*/calibration/back",
        "POST /api/v1/lines/*/retrain",
        "POST /api/v1/lines/*/rollback",
        "POST /api/v1/jobs/*/cancel",
        "POST /api/v1/jobs/*/promote",
        "POST /api/v1/jobs/*/backtest",
        "PUT /api/v1/lines/*/recorded",
        "POST /api/v1/lines/*/first-training",
        "POST /api/v1/jobs/*/start",
        "POST /api/v1/lines/*/datasets",
        "POST /api/v1/review/**",
        "PUT /api/v1/review/**",
        "DELETE /api/v1/review/**",
    ),
    Role.ADMIN: (
        "GET /users",
        "GET /api/v1/quality/people",
        "GET /audit",
        "POST /api/v1/lines",
        "POST /api/v1/replicas",
        "GET /api/v1/users",
        "POST /api/v1/users",
        "PATCH /api/v1/users/*",
        "POST /api/v1/users/*/password",
        "GET /api/v1/users/*/sessions",
        "DELETE /api/v1/users/*/sessions",
        "DELETE /api/v1/sessions/*",
        "GET /api/v1/tokens",
        "POST /api/v1/tokens",
        "DELETE /api/v1/tokens/*",
        "GET /api/v1/audit",
        "GET /api/v1/audit.csv",
    ),
}


def needed(method: str, path: str) -> Needed:
    """`method` as HTTP spells it, or WS."""
    asked = f"{'GET' if method == 'HEAD' else method} {path}"
    return next((role for pattern, role in _rows() if pattern.fullmatch(asked)), None)


@cache
def _rows() -> tuple[tuple[re.Pattern[str], Needed], ...]:
    return tuple((_pattern(row), role) for role, rows in _TABLE.items() for row in rows)


def _pattern(row: str) -> re.Pattern[str]:
    return re.compile(re.escape(row).replace(r"\*\*", r".+").replace(r"\*", r"[^/]+"))

"""NiceGUI's part: the shell (header, menu, skip link) and the pages around our own components in web/.

Everything that moves comes over /ws/live into those components; NiceGUI's socket only carries clicks on the menu button.
"""

import zlib
from functools import cache
from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import ui
from nicegui.dependencies import Component, register_esm, register_vue_component
from nicegui.element import Element

from services.contract.settings import Settings
from services.dashboard.cookies import Cookies, csrf_of, prefix_of
from services.dashboard.gate import at_least, caller_of
from services.records.accounts import Role

WEB = Path(__file__).parent / "web"
RECONNECT_S = 60.0
"""A page that loses its socket for less than this goes on where it was; NiceGUI's 3 s would reload it."""


@cache
def _content_hash() -> int:
    """Browsers keep our files for a year under an address that changes with their content."""
    return zlib.crc32(b"".join(path.read_bytes() for path in sorted(WEB.iterdir())))


def _component(name: str) -> Component:
    return register_vue_component(WEB / name, max_time=_content_hash())


class Masthead(Element):
    """Plant, link state, alarms, theme, who is logged in; emits `menu`."""

    component = _component("masthead.js")

    def __init__(self, site: str, user: str, role: Role) -> None:
        super().__init__()
        self._props.update({"site": site, "user": user, "role": role.value})


class Menu(Element):
    """Live, every line with its state, what the role may open, the API."""

    component = _component("menu.js")

    def __init__(self, here: str, role: Role) -> None:
        super().__init__()
        self._props.update({"here": here, "role": role.value})


class Wall(Element):
    """The Live page."""

    component = _component("wall.js")


class LineView(Element):
    """The page of one line, with a part of it opened or not."""

    component = _component("lineview.js")

    def __init__(self, line: str, part: str | None) -> None:
        super().__init__()
        self._props["line-id"] = line
        self._props["open-part"] = part


class Review(Element):
    """The page of reviews; operators may look."""

    component = _component("review.js")

    def __init__(self, user: str, role: Role) -> None:
        super().__init__()
        self._props.update({"user": user, "role": role.value})


class Thresholds(Element):
    """Where a line's scores lie and where its thresholds stand; supervisors move them."""

    component = _component("thresholds.js")

    def __init__(self, line: str, product: str | None, role: Role) -> None:
        super().__init__()
        self._props.update({"line-id": line, "wanted": product, "role": role.value})


class Sheet(Element):
    """A page whose component reads all it shows over REST; times are in the plant's zone."""

    def __init__(self, zone: str, role: Role) -> None:
        super().__init__()
        self._props.update({"zone": zone, "role": role.value})


class History(Sheet):
    """The page of all inspections that were ever made; supervisors may take pictures with them."""

    component = _component("history.js")


class Training(Sheet):
    """What is taught, what came of it, and putting that to work; supervisors act."""

    component = _component("training.js")


class Models(Sheet):
    """Which version judges which line, all that did or might; supervisors go back."""

    component = _component("models.js")


class Quality(Sheet):
    """How well each line was judged; admins see people's figures too."""

    component = _component("quality.js")


class Lines(Sheet):
    """What judges each line, new lines, and a first model for those without; supervisors act, admins add."""

    component = _component("lines.js")


class Users(Element):
    """Accounts, where they are logged in, and tokens of machines."""

    component = _component("users.js")


class AuditTrail(Element):
    """Who did what."""

    component = _component("audit.js")

    def __init__(self, zone: str) -> None:
        super().__init__()
        self._props["zone"] = zone


SHEETS: tuple[type[Sheet], ...] = (History, Lines, Training, Models, Quality)
"""Each at its own name in small letters, with a style sheet of that name."""


def add_pages(app: FastAPI, settings: Settings) -> None:
    """Mounts NiceGUI below `app`: to be called last, since it answers every path that nobody else does."""
    register_esm("loupe", WEB, max_time=_content_hash())
    everybody, admins = [at_least(Role.OPERATOR)], [at_least(Role.ADMIN)]

    @ui.page("/", title="Live · Loupe", dependencies=everybody)
    def live(request: Request) -> None:
        _shell(settings, request, "/")
        Wall()

    @ui.page("/line/{line_id}", title="Line · Loupe", dependencies=everybody)
    def line(request: Request, line_id: str, part: str | None = None) -> None:
        _shell(settings, request, f"/line/{line_id}")
        LineView(line_id, part)

    @ui.page("/review", title="Review · Loupe", dependencies=everybody)
    def review(request: Request) -> None:
        _shell(settings, request, "/review")
        ui.add_head_html(_style(request, "review.css"))
        caller = caller_of(request)
        Review(caller.name, caller.role)

    @ui.page("/line/{line_id}/thresholds", title="Thresholds · Loupe", dependencies=everybody)
    def thresholds(request: Request, line_id: str, product: str | None = None) -> None:
        _shell(settings, request, f"/line/{line_id}")
        Thresholds(line_id, product, caller_of(request).role)

    for sheet in SHEETS:
        _add_sheet(settings, sheet)

    @ui.page("/users", title="Users · Loupe", dependencies=admins)
    def users(request: Request) -> None:
        _shell(settings, request, "/users")
        Users()

    @ui.page("/audit", title="Audit · Loupe", dependencies=admins)
    def audit(request: Request) -> None:
        _shell(settings, request, "/audit")
        AuditTrail(settings.site.time_zone)

    ui.run_with(
        app,
        title="Loupe",
        favicon=WEB / "logo.svg",
        dark=None,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        tailwind=False,
    )


def _add_sheet(settings: Settings, sheet: type[Sheet]) -> None:
    name = sheet.__name__.lower()

    @ui.page(f"/{name}", title=f"{sheet.__name__} · Loupe", dependencies=[at_least(Role.OPERATOR)])
    def page(request: Request) -> None:
        _shell(settings, request, f"/{name}")
        ui.add_head_html(_style(request, f"{name}.css"))
        sheet(settings.site.time_zone, caller_of(request).role)


def _shell(settings: Settings, request: Request, here: str) -> None:
    caller, held = caller_of(request), Cookies.of(settings.dashboard).held(request.headers)
    ui.add_head_html(f'<script src="{_asset(request, "theme.js")}"></script>{_style(request, "style.css")}')
    ui.add_head_html(f'<meta name="loupe-csrf" content="{csrf_of(held) if held else ""}">')
    ui.skip_link("Skip to the content", target=ui.context.client.content)
    with ui.header().classes("lp-header").props('role="banner"'):
        masthead = Masthead(settings.site.name, caller.name, caller.role)
    with ui.left_drawer(value=False, bordered=True).classes("lp-drawer").props("show-if-above width=216 breakpoint=900") as drawer:
        Menu(here, caller.role)
    masthead.on("menu", drawer.toggle)


def _asset(request: Request, name: str) -> str:
    return f"{prefix_of(request)}/assets/{name}?{_content_hash():x}"


def _style(request: Request, name: str) -> str:
    return f'<link rel="stylesheet" href="{_asset(request, name)}">'

"""NiceGUI's part: the shell (header, menu, skip link) and the pages Live and Line around our own components in web/.

Everything that moves comes over /ws/live into those components; NiceGUI's socket only carries clicks on the menu button.
"""

import zlib
from functools import cache
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from nicegui import ui
from nicegui.dependencies import Component, register_esm, register_vue_component
from nicegui.element import Element

from services.contract.settings import Settings

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
    """Plant, link state, alarms, theme; emits `menu`."""

    component = _component("masthead.js")

    def __init__(self, site: str) -> None:
        super().__init__()
        self._props["site"] = site


class Menu(Element):
    """Live, every line with its state, the API."""

    component = _component("menu.js")

    def __init__(self, here: str) -> None:
        super().__init__()
        self._props["here"] = here


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


def add_pages(app: FastAPI, settings: Settings) -> None:
    """Mounts NiceGUI below `app`: to be called last, since it answers every path that nobody else does."""
    register_esm("loupe", WEB, max_time=_content_hash())

    @ui.page("/", title="Live · Loupe")
    def live() -> None:
        _shell(settings.site.name, "/")
        Wall()

    @ui.page("/line/{line_id}", title="Line · Loupe")
    def line(line_id: str, part: str | None = None) -> None:
        _shell(settings.site.name, f"/line/{line_id}")
        LineView(line_id, part)

    @ui.page("/{path:path}", title="Not found · Loupe")
    def nowhere(path: str) -> None:
        _shell(settings.site.name, "")
        ui.status_code(404)
        with ui.element("div").classes("lp-page"):
            with ui.element("h1"):
                ui.html("No such page", sanitize=False, tag="span")
            with ui.element("p").classes("lp-quiet"):
                ui.link("Back to the wall", "/")

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


def _shell(site: str, here: str) -> None:
    version = f"{_content_hash():x}"
    assets = quote(ui.context.client.request.headers.get("x-forwarded-prefix", "")) + "/assets"
    ui.add_head_html(f'<script src="{assets}/theme.js?{version}"></script><link rel="stylesheet" href="{assets}/style.css?{version}">')
    ui.skip_link("Skip to the content", target=ui.context.client.content)
    with ui.header().classes("lp-header").props('role="banner"'):
        masthead = Masthead(site)
    with ui.left_drawer(value=False, bordered=True).classes("lp-drawer").props("show-if-above width=216 breakpoint=900") as drawer:
        Menu(here)
    masthead.on("menu", drawer.toggle)

"""The pages without a script: logging in, choosing a password, and one sentence about why something is not to be had."""

from html import escape
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse

WEB = Path(__file__).parent / "web"


def form_page(template: str, prefix: str, *, status: int = 200, problem: str = "", **values: str) -> HTMLResponse:
    """`web/<template>.html` with its `$names` filled in; everything is escaped."""
    alert = f'<p class="lp-problem" role="alert">{escape(problem)}</p>' if problem else ""
    filled = {key: escape(value) for key, value in {"prefix": prefix, **values}.items()}
    page = Template((WEB / f"{template}.html").read_text()).substitute(filled, problem=alert)
    return HTMLResponse(page, status_code=status, headers={"cache-control": "no-store"})


def local_path(wanted: str | None) -> str:
    """Where to go after a login: a path of ours, whatever a link asked for."""
    fits = wanted is not None and wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/login", "/logout"))
    return wanted if fits and wanted is not None and wanted.isprintable() and "\\" not in wanted else "/"

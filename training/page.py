"""An empty page to draw on, or an error that says what draws.

matplotlib is of the extra `report`: nothing else needs it, so it is imported when a picture is asked for. Figures are made without
pyplot, which would keep them and choose a window.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PlotError(ValueError):
    """Pictures that cannot be drawn here."""


def new_page(width: float, height: float) -> "Figure":
    """In inches. PlotError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(f"pictures: expected the package matplotlib ({error}); `pip install matplotlib`") from error
    return Figure(figsize=(width, height), layout="constrained")

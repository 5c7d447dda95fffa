"""The look of the page: Gradio's theme in Thaw's palette, and what `launch` needs for it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from core.report.drawing import PALETTE, figures_js, plotly_js_path
from core.report.map_page import MAP_PARTS

DRAWN = MAP_PARTS / "scatter"
"""What draws maps here as in those that are written to a file."""


def beside(module: str, *names: str) -> tuple[Path, ...]:
    """Name files that lie beside a module, given its `__file__`."""
    return tuple(Path(module).with_name(name) for name in names)


FILES = (
    DRAWN.with_suffix(".js"),
    DRAWN.with_suffix(".css"),
    *beside(__file__, "draw.js", "chart.js", "page.js", "page.css"),
)
"""What every page loads before the scripts and sheets of its tabs."""

SANS = ("Inter", "system-ui", "-apple-system", "Segoe UI", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")

ROLES = {  # Gradio's variable: the colour of the palette
    "body_background_fill": "page",
    "body_text_color": "text",
    "body_text_color_subdued": "soft",
    "background_fill_primary": "surface",
    "background_fill_secondary": "page",
    "border_color_primary": "line",
    "border_color_accent": "ice",
    "block_background_fill": "surface",
    "block_border_color": "line",
    "block_label_background_fill": "surface",
    "block_label_text_color": "soft",
    "block_title_text_color": "text",
    "block_info_text_color": "soft",
    "panel_background_fill": "surface",
    "input_background_fill": "surface",
    "input_background_fill_focus": "surface",
    "input_border_color": "field_line",
    "input_border_color_focus": "ice",
    "input_placeholder_color": "soft",
    "color_accent_soft": "ice_fill",
    "link_text_color": "ice_ink",
    "link_text_color_hover": "ice",
    "link_text_color_visited": "ice_ink",
    "link_text_color_active": "ice",
    "checkbox_background_color": "surface",
    "checkbox_background_color_selected": "ice",
    "checkbox_border_color": "field_line",
    "checkbox_border_color_selected": "ice",
    "checkbox_label_background_fill": "surface",
    "checkbox_label_background_fill_hover": "quiet",
    "checkbox_label_background_fill_selected": "ice_fill",
    "checkbox_label_border_color": "line",
    "checkbox_label_border_color_selected": "ice",
    "checkbox_label_text_color_selected": "ice_ink",
    "button_primary_background_fill": "amber",
    "button_primary_background_fill_hover": "amber_over",
    "button_primary_border_color": "amber",
    "button_primary_text_color": "amber_ink",
    "button_secondary_background_fill": "quiet",
    "button_secondary_background_fill_hover": "quiet_over",
    "button_secondary_border_color": "line",
    "button_secondary_text_color": "text",
    "button_cancel_background_fill": "surface",
    "button_cancel_background_fill_hover": "quiet",
    "button_cancel_border_color": "bad",
    "button_cancel_text_color": "bad",
    "error_text_color": "bad",
    "error_border_color": "bad",
    "error_background_fill": "surface",
    "slider_color": "ice",
    "table_border_color": "line",
}


def build_theme() -> gr.themes.Base:
    """Build Gradio's theme in the palette, with fonts that every system has."""
    theme = gr.themes.Base(
        primary_hue="sky",
        neutral_hue="slate",
        font=SANS,
        font_mono=MONO,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
    )
    colours: dict[str, str] = {}
    for variable, name in ROLES.items():
        colours[variable], colours[f"{variable}_dark"] = PALETTE[name]
    return theme.set(
        **colours,
        color_accent="var(--thaw-ice)",
        block_shadow="none",
        block_shadow_dark="none",
        block_border_width="0px",
        block_label_shadow="none",
        block_title_text_weight="600",
        block_radius="10px",
        container_radius="10px",
        input_radius="8px",
        input_border_width="1px",
        input_shadow_focus="0 0 0 2px var(--color-accent-soft)",
        input_shadow_focus_dark="0 0 0 2px var(--color-accent-soft)",
        button_large_radius="8px",
        button_medium_radius="8px",
        button_small_radius="8px",
        button_large_text_weight="650",
        button_transition="background-color 120ms",
        checkbox_label_shadow="none",
        layout_gap="16px",
        form_gap_width="0px",
    )


def palette_css() -> str:
    """Write the palette as CSS variables, for both themes."""
    lines = (
        "".join(f"--thaw-{name.replace('_', '-')}:{both[which]};" for name, both in PALETTE.items())
        for which in (0, 1)
    )
    light, dark = lines
    return f":root{{{light}}}.dark{{{dark}}}"


def launch_options(files: Iterable[Path]) -> dict[str, Any]:
    """Return what every launch of the page needs: the look, and nothing kept or sent.

    Args:
        files: The page's scripts and sheets, in the order in which they are loaded.
    """
    texts = [(".js", figures_js())]
    texts += [(path.suffix, path.read_text(encoding="utf-8")) for path in files]
    return {
        "theme": build_theme(),
        "css": palette_css() + "".join(text for kind, text in texts if kind == ".css"),
        "head": "".join(f"<script>{text}</script>" for kind, text in texts if kind == ".js"),
        "run_history": False,
        "max_file_size": "5mb",
        "enable_monitoring": False,
        "show_error": False,
        "footer_links": ["api", "gradio"],
        "ssr_mode": False,
        "app_kwargs": {"routes": [Route("/thaw/plotly.min.js", _plotly_js)]},
    }


def _plotly_js(_: Request) -> FileResponse:
    """Hand out the script that charts are drawn by, at an address that names no folder."""
    kept = {"Cache-Control": "public, max-age=3600"}
    return FileResponse(plotly_js_path(), media_type="text/javascript", headers=kept)

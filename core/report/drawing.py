"""What drawings have in common that open without Thaw: the colours of the light page."""

INK, SOFT, LINE, ICE, PAPER = "#14212d", "#4a6072", "#d9e3ec", "#2a7ab0", "#ffffff"
"""The page's light palette: a picture in a README has no say in what it lies on."""


NAME_CHARACTERS = 40

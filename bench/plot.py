"""Times against the number of files as a PNG, both axes logarithmic."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

SIZE, LEFT, RIGHT, TOP, BOTTOM = (900, 560), 90, 250, 40, 60
COLOURS = ("#0b62a4", "#c0392b", "#27864b", "#7d3c98", "#b9770e", "#117a8b", "#555555")
PLOTS = Path(os.environ.get("TANIST_BENCH_PLOTS", Path(__file__).resolve().parents[1] / "build/bench"))
APART = 13  # pixels between two names
Points = Mapping[int, float]  # files -> seconds


def draw_plot(path: Path, title: str, series: Mapping[str, Points]) -> None:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    files = [x for points in series.values() for x in points]
    seconds = [y for points in series.values() for y in points.values()]
    x_low, x_high = math.log10(min(files)), math.log10(max(files))
    y_low, y_high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_low) / max(x_high - x_low, 1e-9)
        up = (math.log10(y) - y_low) / max(y_high - y_low, 1e-9)
        return LEFT + across * (SIZE[0] - LEFT - RIGHT), SIZE[1] - BOTTOM - up * (SIZE[1] - TOP - BOTTOM)

    draw.text((LEFT, 12), title, fill="black")
    for power in range(y_low, y_high + 1):
        left, height = place(min(files), 10.0**power)
        draw.line((left, height, SIZE[0] - RIGHT, height), fill="#dddddd")
        draw.text((12, height - 6), f"{10.0**power:g} s", fill="black")
    for count in sorted(set(files)):
        at, bottom = place(count, 10.0**y_low)
        draw.line((at, TOP, at, bottom), fill="#dddddd")
        draw.text((at - 20, bottom + 8), f"{count:,}", fill="black")
    draw.text((LEFT, SIZE[1] - 24), "files", fill="black")
    ends = {name: place(max(points), points[max(points)])[1] for name, points in series.items()}
    names = spread(ends, TOP)
    for (name, points), colour in zip(series.items(), COLOURS, strict=False):
        line = [place(x, y) for x, y in sorted(points.items())]
        draw.line(line, fill=colour, width=2)
        for x, y in line:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
        draw.text((line[-1][0] + 10, names[name] - 6), name, fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(64).save(path, optimize=True)


def spread(places: Mapping[str, float], least: float) -> dict[str, float]:
    """Where names can be read: as high as they belong, but not one over the other."""
    found: dict[str, float] = {}
    for name, wanted in sorted(places.items(), key=lambda item: item[1]):
        least = max(wanted, least)
        found[name] = least
        least += APART
    return found

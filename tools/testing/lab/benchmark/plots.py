# SPDX-License-Identifier: GPL-2.0
"""Charts as SVG, with nothing but the standard library: bars of ratios, distributions."""

import math
from xml.sax.saxutils import escape

BAR, GAP, LEFT, WIDTH, TOP = 14, 4, 330, 420, 46

# File, title, and the beginning of the names, of which the first that fits is taken
CHARTS = (
    ("vtd", "VT-d", ("forward/vtd/", "fault/vtd/", "bind/vtd/")),
    ("host", "Host DMA and NVMe", ("dma/", "nvme/")),
    ("forward", "Invalidations carried for a guest", ("forward/",)),
    ("fault", "Fault round trip; stream table entries", ("fault/", "bind/")),
)


def text(x, y, what, anchor="start", size=11):
    """One line of text."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-family="sans-serif" '
            f'font-size="{size}" text-anchor="{anchor}">{escape(what)}</text>')


def bar(item, y, scale):
    """A bar, the limit as a line across it, and what they say."""
    limit, ratio = item["limit"], item["ratio"]
    color = "#c0392b" if limit is not None and ratio > limit else "#2e86ab"
    yield text(LEFT - 8, y + BAR - 3, item["name"], "end")
    yield (f'<rect x="{LEFT}" y="{y}" width="{ratio * scale:.1f}" height="{BAR}" '
           f'fill="{color}"/>')
    yield text(LEFT + ratio * scale + 5, y + BAR - 3, f"{ratio:.2f}", size=10)
    if limit is not None:
        x = LEFT + limit * scale
        yield (f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 2}" y2="{y + BAR + 2}" '
               f'stroke="black" stroke-width="2"/>')


def chart(title, items):
    """The whole picture."""
    scale = WIDTH / max([1.1] + [max(item["ratio"], item["limit"] or 0) for item in items])
    height = TOP + len(items) * (BAR + GAP) + 10
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" '
           f'height="{height}">')
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield text(10, 18, f"{title}: instructions, this project / in-tree driver", size=14)
    yield text(10, 34, "a black line is the limit; shorter is better", size=10)
    yield (f'<line x1="{LEFT + scale:.1f}" x2="{LEFT + scale:.1f}" y1="{TOP - 6}" '
           f'y2="{height - 6}" stroke="#888" stroke-dasharray="4 3"/>')
    for i, item in enumerate(items):
        yield from bar(item, TOP + i * (BAR + GAP), scale)
    yield "</svg>"


# A distribution: what part of the samples took no longer than this
PLOT_WIDTH, PLOT_HEIGHT, PLOT_LEFT = 640, 260, 50
COLORS = {"ours": "#2e86ab", "intree": "#888"}
NAMES = {"ours": "this project", "intree": "in-tree driver"}


def ticks(low, high):
    """1, 2 and 5, and their tenfolds, from LOW to HIGH."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [digit * 10 ** exponent for exponent in exponents for digit in (1, 2, 5)
            if low <= digit * 10 ** exponent <= high]


def distribution(title, unit, drivers, percent):
    """The whole picture, with a line for each of DRIVERS."""
    values = [value for line in drivers.values() for value in line]
    low, high = min(values) * 0.9, max(values) * 1.1
    bottom = TOP + PLOT_HEIGHT

    def place(value, part):
        return (PLOT_LEFT + math.log(value / low) / math.log(high / low) * PLOT_WIDTH,
                bottom - part / 100 * PLOT_HEIGHT)

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{PLOT_LEFT + PLOT_WIDTH + 30}" '
           f'height="{bottom + 40}">')
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield text(10, 18, title, size=14)
    for part in (0, 50, 90, 99):
        y = place(low, part)[1]
        yield text(PLOT_LEFT - 6, y + 4, f"{part} %", "end", 10)
        yield (f'<line x1="{PLOT_LEFT}" x2="{PLOT_LEFT + PLOT_WIDTH}" y1="{y:.1f}" '
               f'y2="{y:.1f}" stroke="#ddd"/>')
    for tick in ticks(low, high):
        yield text(place(tick, 0)[0], bottom + 16, f"{tick:g}", "middle", 10)
    yield text(PLOT_LEFT + PLOT_WIDTH / 2, bottom + 32, unit, "middle", 10)
    for i, (driver, line) in enumerate(drivers.items()):
        points = [place(value, part) for value, part in zip(line, percent)]
        yield (f'<polyline fill="none" stroke="{COLORS[driver]}" stroke-width="2" points="'
               + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
        yield text(PLOT_LEFT + 10 + 120 * i, 36, NAMES[driver])
        yield (f'<rect x="{PLOT_LEFT - 4 + 120 * i}" y="28" width="10" height="8" '
               f'fill="{COLORS[driver]}"/>')
    yield "</svg>"


def write(directory, objects, distributions, percent):
    """Writes one file for each chart that has any bars, and each distribution."""
    left = [item for item in objects
            if item["unit"] == "instructions" and item["intree"] and item["ratio"] is not None]
    for name, title, groups in CHARTS:
        items = [item for item in left if item["name"].startswith(groups)]
        left = [item for item in left if item not in items]
        if items:
            (directory / f"{name}.svg").write_text("\n".join(chart(title, items)) + "\n")
    for (name, unit), drivers in distributions.items():
        if name.endswith("/devices-1") and "/vtd/" not in name:
            pace = name.split("/")[-2]
            picture = distribution(f"From the answer to a fault to the next, which comes "
                                   f"{pace}: {unit}", unit, drivers, percent)
            (directory / f"latency-{pace}-{unit}.svg").write_text("\n".join(picture) + "\n")

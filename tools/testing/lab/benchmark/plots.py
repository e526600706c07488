# SPDX-License-Identifier: GPL-2.0
"""Bar charts of ratios, as SVG, with nothing but the standard library."""

from xml.sax.saxutils import escape

BAR, GAP, LEFT, WIDTH, TOP = 14, 4, 330, 420, 46

# File, title, and the beginning of the names
CHARTS = (
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


def write(directory, objects):
    """Writes one file for each chart that has any bars."""
    for name, title, groups in CHARTS:
        items = [item for item in objects if item["unit"] == "instructions"
                 and item["ratio"] is not None and item["name"].startswith(groups)]
        if items:
            (directory / f"{name}.svg").write_text("\n".join(chart(title, items)) + "\n")

"""Widths of text in a picture, for an unknown font."""

from __future__ import annotations


def _character_width(character: str) -> float:
    """Of DejaVu Sans and Verdana, the widest of the usual fonts; a part of the size."""
    if character in " .,:;'|ijlI":
        return 0.37
    if character in "!()[]/-ftr":
        return 0.46
    if character in "mwMW@%&#^=+<>~…" or ord(character) > 0x2E7F:
        return 1.0
    return 0.79 if character.isupper() else 0.64


def text_width(text: str, size: float = 12.0) -> float:
    """Upper bound of the width of a text in pixels."""
    return sum(map(_character_width, text)) * size


def shortened(text: str, width: float, size: float = 12.0) -> str:
    """The text, or as much of it as has room, with an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, width: float, lines: int = 2) -> list[str]:
    """The text in so many lines at most; an ellipsis stands for what found no room."""
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if len(found) < lines and found[-1] and text_width(longer) > width:
            found.append(word)
        else:
            found[-1] = longer
    return [shortened(line, width) for line in found]


def spread(wanted: list[float], widths: list[float], left: float, right: float) -> list[float]:
    """Centres of labels in a row: side by side, as near as can be to the wanted ones.

    Args:
        wanted: ascending centres.
        widths: of the labels, with the room between them; all must fit into the row.
        left, right: ends of the row.
    """
    blocks: list[tuple[float, list[int]]] = []  # left end, labels that touch one another

    def width_of(labels: list[int]) -> float:
        return sum(widths[label] for label in labels)

    for label, centre in enumerate(wanted):
        start, labels = centre - widths[label] / 2, [label]
        start = max(left, min(start, right - widths[label]))
        while blocks and blocks[-1][0] + width_of(blocks[-1][1]) > start:
            before, earlier = blocks.pop()
            weight = len(labels) / (len(labels) + len(earlier))
            start = before * (1 - weight) + (start - width_of(earlier)) * weight
            labels = earlier + labels
            start = max(left, min(start, right - width_of(labels)))
        blocks.append((start, labels))
    centres = []
    for start, labels in blocks:
        for label in labels:
            centres.append(start + widths[label] / 2)
            start += widths[label]
    return centres

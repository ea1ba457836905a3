"""Which route tables a definition names."""

from __future__ import annotations


class Selection:
    """The route tables that a definition names: ids, and tags as (key, value).

    Raises ValueError where `text` is not a list of `rtb-...` and `tag:KEY=VALUE`, separated by commas, spaces or both.
    """

    def __init__(self, text: str):
        words = text.replace(",", " ").split()
        self.ids = tuple(dict.fromkeys(w for w in words if w.startswith("rtb-")))
        self.tags = tuple(_tag(w) for w in words if not w.startswith("rtb-"))
        if not words:
            raise ValueError("no route table is named")
        for table_id in self.ids:
            if not table_id[4:].isalnum():
                raise ValueError(f"'{table_id}' is not the id of a route table")


def _tag(word: str) -> tuple[str, str]:
    kind, colon, pair = word.partition(":")
    key, equals, value = pair.partition("=")
    if kind != "tag" or not key or not equals:
        raise ValueError(f"'{word}' is neither the id of a route table (rtb-...) nor tag:KEY=VALUE")
    return key, value

"""What a client may have seen: stretches of time in which somebody answers, or nobody."""

from __future__ import annotations

from ocf_aws.cli.outages.record import Record, Stretch

ZERO = 1_800_000_000.0
ADDRESS = "192.168.77.10"


def stretches(address: str, end: float, *changes: tuple[float, str | None]) -> tuple[Stretch, ...]:
    """Of an address at which nobody answers at first, then who the changes say."""
    bounds = [(0.0, None), *changes, (end, None)]
    return tuple(
        Stretch(address, host, ZERO + start, ZERO + until, probes=1)
        for (start, host), (until, _) in zip(bounds, bounds[1:])
    )


def failover() -> Record:
    """Two moves: one of 0.31 s, one of 3.1 s."""
    changes = [(1, "node1"), (5, None), (5.31, "node2"), (20, None), (23.1, "node1")]
    return Record({ADDRESS: stretches(ADDRESS, 30, *changes)})

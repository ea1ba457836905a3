"""The calls on subnets."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses.subnets import Subnets

from vpclab.ec2.base_calls import BaseCalls


class SubnetCalls(BaseCalls, Subnets):
    """moto's calls on subnets, with pages."""

    def describe_subnets(self) -> ActionResult:
        """The subnets asked for."""
        answer: dict[str, Any] = dict(super().describe_subnets().result)  # type: ignore[call-overload]
        return self.paged("Subnets", list(answer["Subnets"]))

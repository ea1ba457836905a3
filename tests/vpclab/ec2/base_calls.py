"""What all groups of calls share: the state, the caller, the parameters, pages."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses._base_response import EC2BaseResponse

from vpclab.ec2.backend import Backend
from vpclab.ec2.errors import missing_parameter
from vpclab.ec2.identity import ACCOUNT, Principal
from vpclab.ec2.paging import page
from vpclab.ec2.state import State


class BaseCalls(EC2BaseResponse):
    """moto's parsing and serializing, on the lab's own backend and for the lab's own callers."""

    state: State
    backend: Backend
    """The state's backend, or an old copy of it for a stale describe."""

    principal: Principal
    params: dict[str, Any]

    @property
    def ec2_backend(self) -> Backend:
        """What moto's methods read and change."""
        return self.backend

    def get_current_account(self) -> str:
        """The one account of the lab."""
        return ACCOUNT

    def get_region_from_url(self, request: Any, full_url: str) -> str:
        """The one region of the lab."""
        return self.state.region

    def required(self, name: str) -> Any:
        """A parameter; raises ApiError if it is missing or empty."""
        value = self.params.get(name)
        if value is None or value == []:
            raise missing_parameter(name)
        return value

    def paged(self, name: str, items: list[Any], most: int = 1000) -> ActionResult:
        """The page of items that the call asks for, as the answer's element `name`; see `page`."""
        items, token = page(items, self.params, most, self.state.page_size)
        return ActionResult({name: items, "NextToken": token})

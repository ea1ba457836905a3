"""The calls on STS: an instance assumes a role."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

from vpclab.ec2.errors import ApiError, missing_parameter
from vpclab.ec2.identity import ACCOUNT, Identities, Principal
from vpclab.ec2.state import State


class StsCalls(TokenResponse):
    """AssumeRole and GetCallerIdentity."""

    state: State
    principal: Principal
    identities: Identities
    params: dict[str, Any]

    def get_current_account(self) -> str:
        """The one account of the lab."""
        return ACCOUNT

    def get_region_from_url(self, request: Any, full_url: str) -> str:
        """The one region of the lab."""
        return self.state.region

    def assume_role(self) -> ActionResult:
        """Credentials for a role; only roles that the lab knows trust anybody."""
        role = self.params.get("RoleArn")
        if not role:
            raise missing_parameter("RoleArn")
        if role not in self.state.shared.values():
            raise ApiError(
                "AccessDenied",
                f"User: {self.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
            )
        assumed = Principal(self.principal.caller, role)
        credentials = self.identities.of(assumed)
        session = self.params.get("RoleSessionName", "session")
        return ActionResult(
            {
                "Credentials": {
                    "AccessKeyId": credentials.access_key_id,
                    "SecretAccessKey": credentials.secret_access_key,
                    "SessionToken": credentials.session_token,
                    "Expiration": credentials.expiration,
                },
                "AssumedRoleUser": {
                    "AssumedRoleId": f"AROAEXAMPLEEXAMPLEEX:{session}",
                    "Arn": assumed.arn.rsplit("/", 1)[0] + f"/{session}",
                },
            }
        )

    def get_caller_identity(self) -> ActionResult:
        """Who the caller is to AWS."""
        arn = self.principal.arn
        return ActionResult(
            {
                "UserId": f"AROAEXAMPLEEXAMPLEEX:{self.principal.caller}",
                "Account": arn.split(":")[4],
                "Arn": arn,
            }
        )

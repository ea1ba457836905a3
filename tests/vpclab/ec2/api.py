"""A call from its HTTP request to its answer: who, what, faults, permission, execution, record."""

from __future__ import annotations

import base64
import logging
import time
import uuid
from email.utils import formatdate
from typing import Any

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.request import Request as MotoRequest
from moto.core.responses import EmptyResult
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.responses import EC2Response

from vpclab.ec2.attachments import AttachmentCalls
from vpclab.ec2.call_log import Call, CallLog
from vpclab.ec2.errors import ApiError, missing_parameter, to_xml
from vpclab.ec2.faults import Faults
from vpclab.ec2.http_server import Request, Response
from vpclab.ec2.identity import Identities, Principal, Signature, read_signature
from vpclab.ec2.ids import check_ids
from vpclab.ec2.instances import InstanceCalls
from vpclab.ec2.policy import Policy
from vpclab.ec2.resources import Resource, resources_of
from vpclab.ec2.route_tables import RouteTableCalls
from vpclab.ec2.state import State
from vpclab.ec2.sts import StsCalls
from vpclab.ec2.subnets import SubnetCalls

_log = logging.getLogger(__name__)

_READING = ("Describe", "Get", "Search")

_ENCODED_MESSAGE = base64.urlsafe_b64encode(bytes(range(256)) * 2).decode()
"""Only AWS can read what is encoded here (sts:DecodeAuthorizationMessage): its length alone matters to a caller."""


class Ec2Calls(RouteTableCalls, AttachmentCalls, SubnetCalls, InstanceCalls, EC2Response):
    """All EC2 calls: those that the lab answers, and moto's for the rest."""


class Api:
    """Answers the calls of everybody."""

    def __init__(self, state: State, identities: Identities, faults: Faults):
        self.state = state
        self.identities = identities
        self.faults = faults
        self.calls = CallLog()
        self.logs_operator = False
        self.policies: dict[str, Policy] = {}
        """What callers and roles may do, by instance id or role ARN; everything, if not here."""

    def answer(self, request: Request) -> Response:
        """The answer to a request to EC2 or STS."""
        exchange = _Exchange(self, request)
        try:
            exchange.identify()
            exchange.parse()
            principal = exchange.principal
            fault = None
            if not principal.is_operator:
                fault = self.faults.catch(principal.caller, exchange.action, exchange.parameters)
            if fault:
                answer = fault.effect.around(exchange, fault.released)
            else:
                answer = exchange.execute()
            exchange.record("ok")
            return answer
        except ApiError as error:
            exchange.record(error.code)
            return exchange.error_response(error)


class _Exchange:
    """One call between its request and its answer."""

    action = "?"
    service = "ec2"
    signature = Signature("?", "?", "?")
    principal = Principal("?")
    resources: tuple[Resource, ...] = ()

    def __init__(self, api: Api, request: Request):
        self._api = api
        self._request = request
        self._recorded = False
        self._time = time.time()
        self._id = str(uuid.uuid4())
        self.parameters: dict[str, Any] = {}

    def identify(self) -> None:
        """Find out who calls which service; raises ApiError."""
        headers = self._request.headers
        self.signature = read_signature(headers)
        self.principal = Principal(self.signature.access_key_id)
        self.service = self.signature.service
        self.principal = self._api.identities.require(self.signature.access_key_id, headers.get("X-Amz-Security-Token"))
        if self.service not in ("ec2", "sts"):
            raise ApiError("InvalidAction", f"The lab has no {self.service}.")
        # The global endpoint of STS takes signatures for us-east-1.
        if self.service == "ec2" and self.signature.region != self._api.state.region:
            raise ApiError(
                "AuthFailure",
                f"Credential should be scoped to {self._api.state.region}.",
            )

    def parse(self) -> None:
        """Read the action and its parameters; raises ApiError if they cannot be."""
        self._calls = Ec2Calls() if self.service == "ec2" else StsCalls()
        self._calls.state = self._api.state
        self._calls.principal = self.principal
        if isinstance(self._calls, StsCalls):
            self._calls.identities = self._api.identities
        request = MotoRequest.from_primitives(
            self._request.method,
            f"https://{self.service}.{self._api.state.region}.amazonaws.com/",
            {"Content-Type": self._request.headers.get("Content-Type", "")},
            self._request.body,
        )
        try:
            self._calls.setup_class(request)
        except OperationNotFoundError as error:
            raise ApiError("InvalidAction", str(error)) from error
        if not hasattr(self._calls, "params"):
            raise ApiError("MissingAction", "The request names no action.")
        self.action, self.parameters = self._calls._get_action(), self._calls.params
        with self._api.state.view() as backend:
            self.resources = resources_of(self.action, self.parameters, backend)

    def execute(self, lag: float = 0) -> Response:
        """Do what the call asks, if the caller may; a describe answers as of `lag` seconds ago."""
        self._check()
        method = getattr(self._calls, camelcase_to_underscores(self.action), None)
        if method is None:
            raise ApiError("InvalidAction", f"The lab does not know {self.action}.")
        reads = self.action.startswith(_READING) or self.service == "sts"
        state = self._api.state
        try:
            with state.view(lag) if reads else state.change() as backend:
                if isinstance(self._calls, Ec2Calls):
                    self._calls.backend = backend
                result = method() or EmptyResult()
                status, _, document = self._calls.serialized(result)
        except ServiceException as error:
            raise ApiError(error.code, error.message) from error
        except NotImplementedError as error:
            raise ApiError("UnsupportedOperation", str(error)) from error
        except ApiError:
            raise
        except Exception as error:
            _log.exception("moto failed at %s", self.action)
            raise ApiError("InternalError", "An internal error has occurred") from error
        text = str(document).replace(">request-id<", f">{self._id}<")
        return self._sign(Response(status, text.encode(), "text/xml;charset=UTF-8"))

    def record(self, outcome: str) -> None:
        """Enter the call in the log; only the first record of a call counts."""
        if self._recorded or (self.principal.is_operator and not self._api.logs_operator):
            return
        self._recorded = True
        self._api.calls.append(
            Call(
                self._time,
                self.principal.caller,
                self.action,
                dict(self.parameters),
                outcome,
                self._request.headers.get("User-Agent") or "",
                self._id,
                tuple(resource.arn for resource in self.resources),
                self.principal.role,
            )
        )

    def error_response(self, error: ApiError) -> Response:
        """The answer that says no."""
        body = to_xml(error, self.service, self._id)
        return self._sign(Response(error.status, body, "text/xml;charset=UTF-8"))

    def _sign(self, answer: Response) -> Response:
        """The answer with the headers that EC2 sends."""
        now = formatdate(time.time() + self._api.state.clock_ahead, usegmt=True)
        headers = {"x-amzn-RequestId": self._id, "Date": now, "Server": "AmazonEC2"}
        return Response(answer.status, answer.body, answer.content_type, headers)

    def _check(self) -> None:
        """Raise ApiError unless the call is complete, allowed, and meant."""
        model = get_service_model(self.service).operation_model(self.action)
        for name in getattr(model.input_shape, "required_members", ()):
            if name not in self.parameters:
                raise missing_parameter(name)
        if self.service == "ec2":
            check_ids(self.parameters)
        self._authorize()
        if self.parameters.get("DryRun"):
            raise ApiError(
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
            )

    def _authorize(self) -> None:
        """Raise ApiError if the caller's policy does not allow the call."""
        policy = self._api.policies.get(self.principal.role or self.principal.caller)
        if policy is None or self.principal.is_operator:
            return
        denial = policy.denied(f"{self.service}:{self.action}", self.resources)
        if denial is None or self.action == "GetCallerIdentity":
            return
        explained = denial.explain(self.principal.arn)
        if self.service == "sts":
            raise ApiError("AccessDenied", explained)
        raise ApiError(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. {explained}. "
            f"Encoded authorization failure message: {_ENCODED_MESSAGE}",
        )

"""EC2's errors: code, HTTP status and XML document."""

from __future__ import annotations

from xml.sax.saxutils import escape

_STATUS = {
    "AuthFailure": 401,
    "UnauthorizedOperation": 403,
    "AccessDenied": 403,
    "InvalidClientTokenId": 403,
    "DryRunOperation": 412,
    "InternalError": 500,
    "InternalFailure": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
}
"""HTTP statuses of the codes for which EC2 does not use 400."""


class ApiError(Exception):
    """A call that EC2 answers with an error; `status` defaults to what EC2 uses for the code."""

    def __init__(self, code: str, message: str, status: int | None = None):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, 400)


def missing_parameter(name: str) -> ApiError:
    """EC2's error for a required parameter that is missing."""
    name = name[0].lower() + name[1:]
    return ApiError("MissingParameter", f"The request must contain the parameter {name}")


def invalid_value(name: str, value: str, why: str) -> ApiError:
    """EC2's error for a parameter with an invalid value."""
    return ApiError(
        "InvalidParameterValue",
        f"Value ({value}) for parameter {name} is invalid. {why}",
    )


def to_xml(error: ApiError, service: str, request_id: str) -> bytes:
    """The error document of EC2, or that of the query protocol for the other services."""
    code, message = escape(error.code), escape(error.message)
    if service == "ec2":
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
            f"<Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        ).encode()
    kind = "Sender" if error.status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code>"
        f"<Message>{message}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()

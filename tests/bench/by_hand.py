"""A floor: the calls of a monitor or of a start without any SDK, signed and parsed by hand. Usage: by_hand.py ACTION

Not a way to write an agent: no retries, no error answers, no IPv6, one region.
"""

import hashlib
import hmac
import os
import subprocess
import sys
from http.client import HTTPConnection, HTTPSConnection
from json import loads
from ssl import create_default_context
from time import gmtime, strftime
from urllib.parse import urlencode

REGION, HOST = "eu-central-1", "ec2.eu-central-1.amazonaws.com"
ROLES = "/latest/meta-data/iam/security-credentials/"

imds = HTTPConnection("169.254.169.254")


def ask(method: str, path: str, **headers: str) -> str:
    imds.request(method, path, headers=headers)
    return imds.getresponse().read().decode()


token = {"X-aws-ec2-metadata-token": ask("PUT", "/latest/api/token", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})}
role = loads(ask("GET", ROLES + ask("GET", ROLES, **token), **token))
ec2 = HTTPSConnection(HOST, context=create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]))


def sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), "sha256").digest()


def call(action: str, **parameters: str) -> str:
    """One call, signed as "Signature Version 4" in the IAM user guide says."""
    body = urlencode({"Action": action, "Version": "2016-11-15", **parameters})
    now = strftime("%Y%m%dT%H%M%SZ", gmtime())
    scope = f"{now[:8]}/{REGION}/ec2/aws4_request"
    headers = {"content-type": "application/x-www-form-urlencoded", "host": HOST, "x-amz-date": now}
    headers["x-amz-security-token"] = role["Token"]
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    names = ";".join(headers)
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{role['SecretAccessKey']}".encode()
    for part in scope.split("/"):
        key = sign(key, part)
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    credential = f"{role['AccessKeyId']}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    ec2.request("POST", "/", body, headers)
    answer = ec2.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        sys.exit(text)
    return text


ip, table, eni = os.environ["OCF_RESKEY_ip"], os.environ["OCF_RESKEY_routing_table"], os.environ["ENI"]


def is_here() -> bool:
    entry = call("DescribeRouteTables", **{"RouteTableId.1": table}).partition(f"{ip}/32<")[2].partition("</item>")[0]
    return eni in entry


if sys.argv[1] == "start":
    subprocess.run(["ip", "address", "add", f"{ip}/32", "dev", os.environ["LINK"]])
    is_here()
    call("ReplaceRoute", RouteTableId=table, DestinationCidrBlock=f"{ip}/32", NetworkInterfaceId=eni)
sys.exit(not is_here())

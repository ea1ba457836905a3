"""The policies in packaging/iam, as `ocf-aws policy` makes them: iam_policies.py DIRECTORY

Writes each file with a word between two @ for each id. With --check it writes nothing, and fails where a file is not as it
would be written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ocf_aws.cli.agent_files import OVERLAY_IP, load_agent
from ocf_aws.cli.definition import Definition
from ocf_aws.cli.policies import statements as policy

PLACE = policy.Place(
    "@PARTITION@",
    "@REGION@",
    "@ACCOUNT@",
    "@NODE_ROLE@",
    ("@NODE1_ID@", "@NODE2_ID@"),
    ("@ENI_1@", "@ENI_2@"),
    ("@ROUTE_TABLE_1@", "@ROUTE_TABLE_2@"),
    (),
    "@ENI@",
)
SHARED = policy.Place(**{**PLACE.__dict__, "owner_role": "arn:@PARTITION@:iam::@OWNER_ACCOUNT@:role/@OWNER_ROLE@"})


def overlay_ip(**parameters: str) -> Any:
    """The parameters of an overlay IP, as its agent reads them."""
    module = load_agent(OVERLAY_IP)
    return Definition(OVERLAY_IP, OVERLAY_IP, parameters).values(module)


def documents() -> dict[str, dict[str, Any]]:
    """The policies by the name of their file."""
    defaults = overlay_ip()
    minimal = overlay_ip(source_dest_check="ignore", create_route="false")
    all_options = overlay_ip(source_dest_check="disable", delete_route_on_stop="true")
    statements = {
        "aws-overlay-ip": policy.overlay_ip_statements(PLACE, defaults),
        "aws-overlay-ip-minimal": policy.overlay_ip_statements(PLACE, minimal),
        "aws-overlay-ip-all-options": policy.overlay_ip_statements(PLACE, all_options),
        "aws-overlay-ip-shared-vpc-nodes": policy.overlay_ip_statements(SHARED, defaults),
        "aws-overlay-ip-shared-vpc-owner": policy.owner_statements(SHARED, defaults),
        "aws-eni-move": policy.eni_move_statements(PLACE),
        "aws-eni-move-minimal": policy.eni_move_statements(PLACE, is_minimal=True),
        "fence-aws": policy.fencing_statements(PLACE),
        "ocf-aws-check": policy.check_statements(),
    }
    found = {name: policy.document(each) for name, each in statements.items()}
    return {**found, "aws-overlay-ip-shared-vpc-owner-trust": policy.owner_trust(PLACE)}


def main(argv: list[str]) -> int:
    """Write or check the files; returns the exit status."""
    is_check = "--check" in argv
    (directory,) = [Path(word) for word in argv if word != "--check"]
    status = 0
    for name, document in documents().items():
        path = directory / f"{name}.json"
        text = json.dumps(document, indent=4) + "\n"
        if not is_check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is not what ocf-aws policy makes: run `make format`", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

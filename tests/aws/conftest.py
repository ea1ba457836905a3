"""An emulated EC2 for each test: what the library says to it by the real boto3."""

from vpclab.fixtures import ec2, hosts, neighbours, region, vpc  # noqa: F401

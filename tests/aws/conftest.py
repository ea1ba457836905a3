"""An emulated EC2 for each test."""

from vpclab.fixtures import ec2, hosts, neighbours, region, vpc  # noqa: F401

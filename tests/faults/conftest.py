"""One instance of a VPC for each test."""

from vpclab.fixtures import single_node  # noqa: F401

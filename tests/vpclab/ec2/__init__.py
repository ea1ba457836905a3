"""An EC2 and STS that behaves like AWS where an agent can tell the difference, over moto, in this process."""

from vpclab.ec2 import effects
from vpclab.ec2.call_log import Call
from vpclab.ec2.region import Ec2

__all__ = ["Call", "Ec2", "effects"]

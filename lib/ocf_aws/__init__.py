"""OCF resource agents that move IP addresses between EC2 instances: what the agents share.

Modules that a recurring monitor imports (`runtime`, `declare`, `status`, `deadline`, `log`, `netlink`,
`link`, `address`) use none of `dataclasses`, `typing`, `re` and `logging`: each costs a fresh process 3 to 10 ms,
and a whole monitor is not to take longer than IPaddr2's.
"""

__version__ = "0.1.0"

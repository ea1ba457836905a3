"""OCF resource agents that move IP addresses between EC2 instances: what the agents share.

Three packages that meet only in an agent: `ocf` (the frame of any OCF agent), `aws` (what is asked of AWS) and `kernel`
(what is asked of the kernel). Pacemaker starts a process for each action, so each import costs time in every monitor:
values are of a class of our own (`record`), because `dataclasses` takes 13 ms to load and `typing` 6 ms, and a whole
local monitor of IPaddr2 takes 37 ms.
"""

__version__ = "0.1.0"

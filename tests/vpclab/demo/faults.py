"""Faults for a person to inject: the command `vpclab fault` on the hosts of a lab that stays up."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Sequence

from moto.core.utils import get_service_model

from vpclab import sandbox
from vpclab.demo import fault_client
from vpclab.ec2 import effects
from vpclab.ec2.http_server import Request, Response, Server
from vpclab.ec2.wildcards import matches
from vpclab.lab import Lab
from vpclab.network.router import NETNS

USAGE = """\
usage: vpclab fault list                      faults that are active
       vpclab fault clear [NUMBER]            end one fault, or all
       vpclab fault add throttle [HOST]       EC2 answers RequestLimitExceeded, to all hosts or to one
       vpclab fault add lag SECONDS           EC2's describes show the past, by up to 600 seconds
       vpclab fault add deny ACTION [HOST]    IAM denies an EC2 action, for example ReplaceRoute or *Route
       vpclab fault add silence-imds HOST     the metadata service (IMDS) does not answer a host
       vpclab fault add cut HOST              a host loses its network; only IMDS is left
       vpclab fault add steal-route IP HOST   once: all route tables send an address to a host"""


class FaultCommands:
    """Runs the commands, and keeps the faults that are active."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._lock = threading.Lock()
        self._active: dict[int, tuple[str, Callable[[], None]]] = {}
        """By number: what was typed, and what ends it."""

        self._denied: dict[str, list[str]] = {}
        """By instance id: the actions that IAM denies."""

        self._last = 0
        self._server = Server("faults", self._answer)

    def listen(self) -> None:
        """Serve the command of all hosts, until `close`."""
        self._server.listen(sandbox.listen(NETNS, fault_client.ADDRESS, fault_client.PORT))

    def close(self) -> None:
        """Stop serving. Faults stay."""
        self._server.close()

    def run(self, words: Sequence[str]) -> str:
        """Run one command, given without the word `vpclab`; returns the text for the person who typed it.

        Raises ValueError with one line that says what is wrong.
        """
        if not words or {"-h", "--help"} & set(words):
            return USAGE
        with self._lock:
            if words[0] == "fault":
                if list(words[1:]) == ["list"]:
                    return self._list()
                if words[1:2] == ["clear"] and len(words) <= 3:
                    return self._clear(*words[2:])
                if words[1:2] == ["add"] and len(words) > 2:
                    return self._add(words[2], list(words[3:]))
        raise ValueError(f"vpclab has no command '{' '.join(words)}': see `vpclab --help`")

    def _answer(self, request: Request) -> Response:
        try:
            return Response(200, self.run(json.loads(request.body)).encode())
        except ValueError as error:
            return Response(400, str(error).encode())

    def _list(self) -> str:
        return "\n".join(f"{number}  {text}" for number, (text, _) in self._active.items()) or "No fault is active."

    def _clear(self, number: str | None = None) -> str:
        if number is not None and (not number.isdigit() or int(number) not in self._active):
            raise ValueError(f"no fault {number}: see `vpclab fault list`")
        ended = list(self._active) if number is None else [int(number)]
        for each in ended:
            self._active.pop(each)[1]()
        return f"Faults ended: {len(ended)}"

    def _add(self, kind: str, arguments: list[str]) -> str:
        kinds: dict[str, tuple[Callable[..., Callable[[], None]], int, int]] = {
            "throttle": (self._throttle, 0, 1),
            "lag": (self._lag, 1, 1),
            "deny": (self._deny, 1, 2),
            "silence-imds": (self._silence_imds, 1, 1),
            "cut": (self._cut, 1, 1),
        }
        if kind == "steal-route" and len(arguments) == 2:
            return self._steal_route(*arguments)
        if kind not in (*kinds, "steal-route"):
            raise ValueError(f"no fault '{kind}': choose {', '.join(kinds)} or steal-route")
        if kind == "steal-route" or not kinds[kind][1] <= len(arguments) <= kinds[kind][2]:
            raise ValueError(f"wrong number of arguments for '{kind}': see `vpclab --help`")
        end = kinds[kind][0](*arguments)
        self._last += 1
        self._active[self._last] = (" ".join([kind, *arguments]), end)
        return f"Fault {self._last} is active. `vpclab fault clear {self._last}` ends it."

    def _throttle(self, host: str | None = None) -> Callable[[], None]:
        faults, caller = self._lab.ec2.faults, self._instance_id(host) if host else None
        fault = faults.add(caller=caller, effect=effects.Error("RequestLimitExceeded"))
        return lambda: faults.remove(fault)

    def _lag(self, seconds: str) -> Callable[[], None]:
        if not seconds.isdigit() or not 1 <= int(seconds) <= 600:
            raise ValueError(f"SECONDS is '{seconds}': give a whole number from 1 to 600")
        faults = self._lab.ec2.faults
        fault = faults.add("Describe*", effect=effects.Stale(int(seconds)))
        return lambda: faults.remove(fault)

    def _deny(self, action: str, host: str | None = None) -> Callable[[], None]:
        action = action.removeprefix("ec2:")
        if not any(matches(action, known) for known in get_service_model("ec2").operation_names):
            raise ValueError(f"EC2 has no action '{action}': for example ReplaceRoute, or Describe*")
        instances = [self._instance_id(host)] if host else [node.id for node in self._lab.nodes.values()]
        for instance_id in instances:
            self._denied.setdefault(instance_id, []).append(action)
            self._write_policy(instance_id)

        def end() -> None:
            for instance_id in instances:
                self._denied[instance_id].remove(action)
                self._write_policy(instance_id)

        return end

    def _write_policy(self, instance_id: str) -> None:
        """Give an instance's role a policy that allows everything but what is denied."""
        denied = [f"ec2:{action}" for action in self._denied[instance_id]]
        statements = [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": denied, "Resource": "*"},
        ]
        self._lab.ec2.allow(instance_id, {"Statement": statements} if denied else None)

    def _silence_imds(self, host: str) -> Callable[[], None]:
        silent, instance_id = self._lab.imds.dead, self._instance_id(host)
        if instance_id in silent:
            raise ValueError(f"IMDS is silent for {host} already")
        silent.add(instance_id)
        return lambda: silent.discard(instance_id)

    def _cut(self, host: str) -> Callable[[], None]:
        network, instance_id = self._lab.network, self._instance_id(host)
        if f"cut {host}" in [text for text, _ in self._active.values()]:
            raise ValueError(f"{host} is cut off already")
        network.cut(instance_id)
        return lambda: network.heal(instance_id)

    def _steal_route(self, ip: str, host: str) -> str:
        """Let every route table that has an entry for an address point to a host. The cluster is to repair it."""
        try:
            cidr = f"{ip}/{ipaddress.ip_address(ip).max_prefixlen}"
        except ValueError:
            raise ValueError(f"'{ip}' is not an IP address") from None
        self._instance_id(host)
        operator, eni = self._lab.ec2.operator(), self._lab.primary_eni(host)
        destination = "DestinationIpv6CidrBlock" if ":" in ip else "DestinationCidrBlock"
        changed = [name for name, holder in self._lab.holders(cidr).items() if holder is not None]
        if not changed:
            raise ValueError(f"no route table has an entry for {cidr}")
        for name in changed:
            operator.replace_route(
                RouteTableId=self._lab.route_tables[name], NetworkInterfaceId=eni, **{destination: cidr}
            )
        return f"Route tables {', '.join(changed)} send {cidr} to {host} now."

    def _instance_id(self, host: str) -> str:
        hosts = [planned.name for planned in self._lab.plan.hosts]
        if host not in hosts:
            raise ValueError(f"no host '{host}': choose {', '.join(hosts)}")
        return self._lab.instances[host].id

"""What a shell of the lab shows first: a story of commands that can be pasted, and what else there is."""

from __future__ import annotations

from vpclab.office import BuiltOffice

ENI_ADDRESS = "10.0.1.50"

EC2_SECONDS = 2.0
"""How long EC2 takes to detach an ENI, and to attach it: a usual time."""

_INTRODUCTION = """\
A VPC with the instances node1 and node2 in {zones}, and a third one, client. A host on premises,
office, reaches it by a VPN and a transit gateway.
Pacemaker runs on the nodes and fences with fence_aws. EC2 is emulated, everything else is real.
"""

_PCS = """\
With pcs (on node1; paste one line, or all of them):

    # create the overlay IP 192.168.10.10; it starts on node1
    pcs resource defaults update resource-stickiness=1000
    pcs resource create ip ocf:aws:aws-overlay-ip ip=192.168.10.10 --disabled \\
        routing_table={tables} op monitor interval=10s timeout=60s
    pcs constraint location ip prefers node1=50
    pcs resource enable ip --wait
    # a planned move
    pcs resource move ip node2
    # maintenance of node2: the address moves to node1, and stays there
    pcs node standby node2 --wait
    pcs node unstandby node2 --wait
    # node2 has the address again, and loses its power: node1 takes over
    pcs resource move ip node2
    pcs stonith fence node2
    crm_resource --wait
    pcs status
    # remove it
    pcs resource delete ip
"""

_CRM = """\
The same with crm:

    # create the overlay IP 192.168.10.10; it starts on node1
    crm configure rsc_defaults resource-stickiness=1000
    crm configure primitive ip ocf:aws:aws-overlay-ip params ip=192.168.10.10 \\
        routing_table={tables} op monitor interval=10s timeout=60s meta target-role=Stopped
    crm configure location ip-prefers-node1 ip 50: node1
    crm -w resource start ip
    # a planned move
    crm -w resource move ip node2
    crm resource clear ip
    # maintenance of node2: the address moves to node1, and stays there
    crm -w node standby node2
    crm -w node online node2
    # node2 has the address again, and loses its power: node1 takes over
    crm -w resource move ip node2
    crm resource clear ip
    crm -F node fence node2
    crm_resource --wait
    crm status
    # remove it
    crm -w resource stop ip
    crm configure delete ip
"""

_ENI = """\
An ENI with the address {address}; with pcs:

    # it starts on node1
    pcs resource create eni ocf:aws:aws-eni-move eni_id={eni} --disabled \\
        op monitor interval=10s timeout=60s
    pcs constraint location eni prefers node1=50
    pcs resource enable eni --wait
    # a planned move, which takes twice the {seconds:g} s that EC2 needs to detach or attach an ENI
    pcs resource move eni node2
    # remove it
    pcs resource delete eni
"""

_MORE = """\
Look:
    tail -f /var/log/pacemaker/pacemaker.log
    aws ec2 describe-route-tables --query 'RouteTables[].Routes[?DestinationCidrBlock==`192.168.10.10/32`][]'
    make lab HOST=client                # in another terminal; then: ping 192.168.10.10
    make lab HOST=office                # the same on premises, behind a VPN and a transit gateway
    aws ec2 search-transit-gateway-routes --filters Name=type,Values=static \\
        --transit-gateway-route-table-id {transit_gateway_route_table}

Make trouble (`vpclab --help` lists all faults):
    vpclab fault add throttle           # EC2 throttles every call
    vpclab fault add lag 5              # EC2's describes show the past
    vpclab fault add deny ReplaceRoute node2
    vpclab fault add silence-imds node1
    vpclab fault add steal-route 192.168.10.10 node2
    vpclab fault add cut node2          # its peer fences it
    vpclab fault list
    vpclab fault clear
"""


_OFFICE = """\
A host on premises. Its packets take a VPN to a transit gateway, whose static route for 192.168.10.0/24 leads to the VPC.
There the route tables a and b decide, because the transit gateway is attached to their subnets.

    ping 192.168.10.10                  # while the address moves on node1 (`make lab` in another terminal)

On node1, take the static route away, and give it back:

    aws ec2 delete-transit-gateway-route --destination-cidr-block 192.168.10.0/24 \\
        --transit-gateway-route-table-id {table}
    aws ec2 create-transit-gateway-route --destination-cidr-block 192.168.10.0/24 \\
        --transit-gateway-route-table-id {table} --transit-gateway-attachment-id {attachment}
"""


def write_office(office: BuiltOffice) -> str:
    """The text for the host on premises."""
    return _OFFICE.format(table=office.transit_gateway_route_table_id, attachment=office.vpc_attachment_id)


def write(route_tables: list[str], eni: str | None, transit_gateway_route_table: str) -> str:
    """The text for a host of the VPC.

    route_tables, transit_gateway_route_table: ids. eni: id of the ENI that can move, in a lab with one zone; None in one with two.
    """
    tables = ",".join(route_tables)
    parts = [
        _INTRODUCTION.format(zones="two availability zones" if eni is None else "one availability zone"),
        _PCS.format(tables=tables),
        _CRM.format(tables=tables),
    ]
    if eni is not None:
        parts.append(_ENI.format(eni=eni, address=ENI_ADDRESS, seconds=EC2_SECONDS))
    return "\n".join([*parts, _MORE.format(transit_gateway_route_table=transit_gateway_route_table)])

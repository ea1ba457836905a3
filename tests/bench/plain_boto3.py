"""A floor: the calls of a monitor or of a start, as a short script makes them with boto3. Usage: plain_boto3.py ACTION"""

import os
import subprocess
import sys

import boto3

ip, table = os.environ["OCF_RESKEY_ip"], os.environ["OCF_RESKEY_routing_table"]
ec2 = boto3.client("ec2", region_name="eu-central-1")


def holder() -> str:
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return next(each["NetworkInterfaceId"] for each in routes if each.get("DestinationCidrBlock") == f"{ip}/32")


if sys.argv[1] == "start":
    subprocess.run(["ip", "address", "add", f"{ip}/32", "dev", os.environ["LINK"]])
    holder()
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock=f"{ip}/32", NetworkInterfaceId=os.environ["ENI"])
sys.exit(holder() != os.environ["ENI"])

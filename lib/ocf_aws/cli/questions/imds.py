"""Questions to IMDS about this instance and the interface that the resource uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from json import loads
from typing import TYPE_CHECKING, Any

from ocf_aws.aws.imds import Imds
from ocf_aws.kernel.link import find_link_by_mac
from ocf_aws.ocf.errors import Unknown

if TYPE_CHECKING:
    from ocf_aws.cli.facts import Facts


def questions(facts: Facts, imds: Imds) -> dict[str, Callable[[], Any]]:
    """What to ask IMDS, to be asked in this order: the first that gets no answer makes all others fail at once."""
    names = ("instance_id", "instance_type", "region", "availability_zone", "primary_mac")
    return {
        "token": lambda: imds.get("meta-data/"),
        **{name: partial(getattr, imds, name) for name in names},
        "role": partial(_find_roles, imds),
        "identity": lambda: loads(imds.require("dynamic/instance-identity/document")),
        "partition": lambda: imds.get("meta-data/services/partition") or "aws",
        "used_indexes": imds.device_indexes,
        **_find_link(facts, imds),
        "vpc_cidrs": lambda: imds.vpc_cidrs(facts["mac"]),
        "vpc_id": lambda: _about_interface(facts, imds, "vpc-id"),
        "subnet_id": lambda: _about_interface(facts, imds, "subnet-id"),
        "eni_id": lambda: _about_interface(facts, imds, "interface-id"),
        "group_ids": lambda: _about_interface(facts, imds, "security-group-ids").split(),
    }


def _find_roles(imds: Imds) -> list[str]:
    """The names that IMDS lists: one, or none."""
    return (imds.get("meta-data/iam/security-credentials/") or "").split()


def _find_link(facts: Facts, imds: Imds) -> dict[str, Callable[[], Any]]:
    """The link of an overlay IP; of anything else the primary one."""
    if facts.is_overlay_ip and facts.is_defined:
        return {
            "link": lambda: facts.module.find_own_link(facts.context, imds),
            "mac": lambda: imds.eni_mac(facts["link"].mac),
        }
    return {"mac": lambda: facts["primary_mac"], "link": lambda: find_link_by_mac(facts["mac"])}


def _about_interface(facts: Facts, imds: Imds, fact: str) -> str:
    text = imds.interface(facts["mac"], fact)
    if not text:
        raise Unknown(f"IMDS has no {fact} of this ENI")
    return text

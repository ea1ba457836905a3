"""Whether this node reaches AWS as somebody whom it knows: instance, IMDS, credentials, clock, endpoint, proxy."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ocf_aws.aws.errors import AccessDenied, CredentialsRefused, NoCredentials
from ocf_aws.cli import environment
from ocf_aws.cli.checks.remedies import set_parameter
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, unknown, warning
from ocf_aws.ocf.errors import FatalError, HardError, NotInstalled
from ocf_aws.parameters import without_password

CHECKS = Checks()

IMDS = {"169.254.169.254", "*"}
NO_PROXY = "127.0.0.1,localhost,169.254.169.254,fd00:ec2::254"
SLOW_SECONDS = 2.0

CLOCK_WARNING_SECONDS = 30.0
CLOCK_SECONDS = 300.0
"""What AWS tolerates between its clock and that of a signature ("Signature Version 4", IAM user guide)."""


@CHECKS.add("imds")
def check_imds(facts: Facts) -> Finding:
    """The instance metadata service, version 2."""
    failure = facts.failure("token")
    if failure is None:
        return passed("IMDSv2 answers")
    if "disabled" in str(failure):
        return failed(
            str(failure),
            "aws ec2 modify-instance-metadata-options --instance-id"
            f" {facts.get('instance_id') or 'INSTANCE'} --http-endpoint enabled --http-tokens required",
        )
    return unknown(
        str(failure),
        "curl --noproxy '*' -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token",
    )


@CHECKS.add("instance")
def check_instance(facts: Facts) -> Finding:
    """Is this an EC2 instance?"""
    return passed(f"{facts['instance_id']} ({facts['instance_type']}) in {facts['availability_zone']}")


@CHECKS.add("role")
def check_role(facts: Facts) -> Finding:
    """The role in the instance profile."""
    if facts.p.profile and facts.p.profile != "default":
        return not_applicable(f"credentials come from the profile '{facts.p.profile}'")
    roles = facts["role"]
    if roles:
        return passed(f"role {roles[0]}")
    if facts.failure("ec2") is None:
        return not_applicable("no role; credentials come from boto3's own chain")
    return failed(
        "the instance has no role, and this node no other credentials",
        f"aws ec2 associate-iam-instance-profile --instance-id {facts['instance_id']} --iam-instance-profile Name=PROFILE",
    )


@CHECKS.add("credentials")
def check_credentials(facts: Facts) -> Finding:
    """Does AWS know who calls?"""
    failure = facts.failure("ec2") or facts.failure("tables_ec2") or facts.failure("answer")
    if failure is None or isinstance(failure, AccessDenied) and "AssumeRole" not in str(failure):
        return passed("EC2 accepts them")
    if isinstance(failure, (NoCredentials, CredentialsRefused)):
        return failed(
            str(failure), "aws sts get-caller-identity   # as root; the credentials, and the clock, must be right"
        )
    if "AssumeRole" in str(failure):
        return failed(
            str(failure), f"ocf-aws policy {target_words(facts)}   # both halves of a shared VPC, and the trust"
        )
    if isinstance(failure, (HardError, FatalError)):
        return failed(str(failure), "correct the definition, or root's ~/.aws")
    raise failure


@CHECKS.add("clock")
def check_clock(facts: Facts) -> Finding:
    """This node's clock against EC2's."""
    ahead = facts["answer"].clock_ahead
    if ahead is None:
        return unknown("EC2's answer has no date")
    told = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} EC2's clock"
    if abs(ahead) >= CLOCK_SECONDS:
        return failed(
            f"{told}: EC2 refuses signatures from {CLOCK_SECONDS:.0f} s on",
            "chronyc makestep && systemctl enable --now chronyd",
        )
    if abs(ahead) >= CLOCK_WARNING_SECONDS:
        return warning(told, "chronyc makestep && systemctl enable --now chronyd")
    return passed("agrees with EC2's")


@CHECKS.add("region")
def check_region(facts: Facts) -> Finding:
    """The region asked, against the one that this instance is in."""
    given, own = facts.p.region, facts["region"]
    if given and given != own:
        return failed(
            f"parameter 'region' is {given}, this instance is in {own}",
            set_parameter(facts, "region", own),
        )
    return passed(str(own))


@CHECKS.add("endpoint")
def check_endpoint(facts: Facts) -> Finding:
    """Is EC2's endpoint reached, and how fast?"""
    failure = facts.failure("ec2") or facts.failure("tables_ec2") or facts.failure("answer")
    if failure is None:
        took = facts["answer"].seconds
        told = f"answers in {took * 1000:.0f} ms"
        if took > SLOW_SECONDS:
            return warning(f"{told}: an action of the agent may need many calls", _reach(facts))
        return passed(told)
    if isinstance(failure, (AccessDenied, CredentialsRefused)):
        return passed("answers")
    if isinstance(failure, (NotInstalled, NoCredentials)):
        raise failure
    return unknown(str(failure), _reach(facts))


def _reach(facts: Facts) -> str:
    region = facts.p.region or facts.get("region") or "REGION"
    # All endpoints in China are in a domain of its own ("Endpoints and ARNs for Amazon Web Services in China").
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = facts.p.endpoint_url or f"https://ec2.{region}.{domain}"
    return f"curl -sv {url}   # a NAT gateway, a VPC endpoint for EC2, or a proxy in /etc/sysconfig/pacemaker"


@CHECKS.add("proxy")
def check_proxy(facts: Facts) -> Iterator[Finding]:
    """The proxies that Pacemaker has, and those that only a shell has."""
    path = environment.settings_file() or environment.FILES[0]
    seen = environment.proxy_of(os.environ)
    shell = environment.proxy_of(facts.shell_only)
    if shell and not seen and not facts.p.proxy:
        yield warning(
            f"this shell has the proxy {without_password(shell)}, Pacemaker has none",
            f"printf 'https_proxy=%s\\nno_proxy={NO_PROXY}\\n' {without_password(shell)} >> {path}"
            " && systemctl restart pacemaker   # if EC2 is reached by it alone",
        )
    elif seen and not environment.no_proxy_of(os.environ) & IMDS:
        # The agents ask IMDS directly whatever is set; fence_aws and the AWS CLI do not.
        yield warning(
            f"Pacemaker has the proxy {without_password(seen)}, and no_proxy lacks IMDS",
            f"echo no_proxy={NO_PROXY} >> {path} && systemctl restart pacemaker",
        )
    elif seen or facts.p.proxy:
        yield passed(f"by {without_password(facts.p.proxy or seen or '')}")
    else:
        yield not_applicable("no proxy is configured")


@CHECKS.add("pacemaker-environment")
def check_pacemaker_environment(facts: Facts) -> Finding:
    """Does the running Pacemaker have what its file says?"""
    configured, running = environment.configured(), environment.running()
    if configured is None or running is None:
        return not_applicable("Pacemaker does not run here")
    differing = sorted(
        name for name, value in configured.items() if environment.matters(name) and running.get(name) != value
    )
    if differing:
        return failed(
            f"{environment.settings_file()} was changed since Pacemaker started: {', '.join(differing)}",
            "systemctl restart pacemaker   # in a maintenance window",
        )
    return passed("Pacemaker runs with what its file says")


@CHECKS.add("encryption")
def check_encryption(facts: Facts) -> Finding:
    """Is EC2 asked by HTTPS?"""
    url = facts.p.endpoint_url or ""
    if url.startswith("http:"):
        return warning(
            f"endpoint_url {url} is not encrypted",
            set_parameter(facts, "endpoint_url", f"https{url[4:]}"),
        )
    return passed("HTTPS")


def target_words(facts: Facts) -> str:
    """How a command line names the resource."""
    if facts.definition.primitive:
        return facts.definition.name
    return " ".join(
        [facts.definition.agent, *(f"{name}={value}" for name, value in facts.definition.parameters.items())]
    )

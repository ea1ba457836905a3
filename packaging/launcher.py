#!/usr/bin/python3 -ISB
"""OCF resource agent of ocf-aws: runs the module of its library that `make install` names here.

A file without suffix is compiled at each start, so the agent is not in it. -S: what site does, with the .pth files of other
packages, takes longer than a local monitor; the library finds boto3 and pyroute2 itself (site_packages).
"""

import sys

sys.path.append("LIBRARY")
try:
    from ocf_aws import agent_module as agent
    from ocf_aws.ocf.runtime import main
except Exception as error:  # files of the package are missing or damaged, in whatever way
    problem = error
else:
    main(agent.AGENT)


def is_here(environ):
    """Whether this node may have what the resource moves: by the kernel, or by the record of a start."""
    from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton
    from os.path import lexists

    eni_id = environ.get("OCF_RESKEY_eni_id", "").strip()
    if eni_id:
        return lexists(f"{environ.get('HA_RSCTMP') or '/run/resource-agents'}/aws-eni-move-{eni_id}")
    ip = (environ.get("OCF_RESKEY_ip") or environ.get("OCF_RESKEY_address") or "").strip().partition("/")[0]
    family = AF_INET6 if ":" in ip else AF_INET
    try:
        packed = inet_pton(family, ip)
    except (OSError, ValueError):
        return False
    # bind() would not do: with ip_nonlocal_bind=1 the kernel lets it take any address.
    try:
        if family == AF_INET6:
            with open("/proc/net/if_inet6") as addresses:
                return packed.hex() in addresses.read().split()
        with open("/proc/net/fib_trie") as routes:
            return f"|-- {inet_ntop(family, packed)} /32 host LOCAL" in " ".join(routes.read().split())
    except FileNotFoundError:
        # This kernel has no IPv6.
        return False
    except OSError:
        return True


def report(environ):
    """Tell what is wrong, and return the exit status."""
    status = 0 if sys.argv[1:] == ["stop"] else 5
    # To a probe, 5 means that nothing runs here: Pacemaker would start it on another node too.
    if sys.argv[1:] in (["stop"], ["monitor"]) and is_here(environ):
        status = 1
    reason = f"reinstall resource-agents-aws: its library cannot be loaded ({problem})"
    prefix = environ.get("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:") if status else ""
    print(prefix + " ".join(reason.split())[:127], file=sys.stderr)
    return status


import os  # noqa: E402  (not where all is well: `main` ends the process)

sys.exit(report(os.environ))

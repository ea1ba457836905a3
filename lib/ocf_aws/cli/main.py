"""The command's entry: arguments in, exit status out. The only place where an exception becomes an exit status."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from ocf_aws.cli.arguments import parser
from ocf_aws.cli.definition import ChangeFailed, NothingKnown, UsageError
from ocf_aws.cli.output import FOUND, UNKNOWN, USAGE, Output
from ocf_aws.ocf.errors import Failure, as_failure


def run(argv: Sequence[str]) -> int:
    """Run the command line and return its exit status."""
    arguments = parser().parse_args(argv)
    output = Output(arguments.command, arguments.output)
    module = import_module(f"ocf_aws.cli.{arguments.command}")
    try:
        status: int = module.run(arguments, output)
        return status
    except UsageError as error:
        return _say(str(error), USAGE)
    except ChangeFailed as error:
        status = _say(str(error), FOUND)
    except (NothingKnown, Failure) as error:
        status = _say(error.full_text if isinstance(error, Failure) else str(error), UNKNOWN)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("OCF_AWS_DEBUG"):
            raise
        return _say(f"{as_failure(error)} (OCF_AWS_DEBUG=1 shows where)", UNKNOWN)
    output.results([])
    return status


def _say(text: str, status: int) -> int:
    print(f"ocf-aws: {text}", file=sys.stderr)
    return status


def main() -> None:
    """Run this process's command line and end the process."""
    try:
        try:
            status = run(sys.argv[1:])
        finally:
            # After --help, Python would do it at the end of the process, and complain of a closed pipe.
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BrokenPipeError:
        # Somebody has read enough: `ocf-aws check | head`. A shell has this status of other commands too, and 0 says that
        # all is right.
        status = 128 + signal.SIGPIPE
    with suppress(OSError):
        sys.stderr.flush()
    # A call to EC2 that was given up may still hang.
    os._exit(status)


if __name__ == "__main__":
    main()

"""The command `ocf-aws`, for people at a terminal and for scripts: one module a subcommand.

Nothing here runs in an agent's process, so `dataclasses` and `argparse` are welcome. The subcommands look at the same
things as the agents, with the agents' own functions.
"""

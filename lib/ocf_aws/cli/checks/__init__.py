"""The preconditions of a resource, by area: each module has CHECKS, in the order in which they are told."""

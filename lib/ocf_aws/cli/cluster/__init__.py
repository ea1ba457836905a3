"""The cluster as this node sees it: its configuration (CIB), its status, its events and its own commands."""

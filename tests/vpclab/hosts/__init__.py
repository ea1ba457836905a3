"""The machines of a lab: instances, the cluster on them, and simpler ones."""

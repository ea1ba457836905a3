"""What the packets of a VPC meet: links, routes, packet filter."""

"""What is asked of the kernel: links, addresses, policy routing."""

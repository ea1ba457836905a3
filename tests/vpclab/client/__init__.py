"""What a client of the cluster sees: who answers at an address, and when nobody does."""

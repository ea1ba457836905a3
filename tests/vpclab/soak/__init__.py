"""The soak: random moves, failures and faults in a lab for as long as one likes, and a report of what a client saw."""

"""Who answers at an address, and for how long nobody does: asked by ICMP or TCP, recorded, told and drawn.

With Python's standard library alone, so that any client can measure.
"""

"""What the facts are answers to, by whom is asked: each function returns questions by the names of the facts.

A question is asked when it is called, and looks up in the facts what it needs of others.
"""

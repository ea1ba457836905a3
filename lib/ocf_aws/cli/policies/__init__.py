"""Least-privilege IAM policies: their statements, and the formats that they are printed in."""

"""What is asked of AWS: EC2, STS and the instance metadata service (IMDS)."""

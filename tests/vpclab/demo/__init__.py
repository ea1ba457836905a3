"""The lab for a person: the demonstration, and a lab that stays up."""

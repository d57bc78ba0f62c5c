"""Triplets of real photographs: how they are formed, stored, read and disturbed."""

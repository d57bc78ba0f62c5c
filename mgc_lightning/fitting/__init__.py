"""Coefficients without a network: fitted to landmarks, or by the objective."""

"""Networks: from aligned crops to coefficients, their files, their exports."""

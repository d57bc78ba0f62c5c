"""REALY: data set, predictions, benchmark folder, submission, table."""

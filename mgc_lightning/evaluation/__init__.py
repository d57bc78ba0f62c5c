"""Benchmarks as programs: data sets, predictions, folders of results, submissions, tables."""

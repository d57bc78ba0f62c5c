"""Parts of the study of multi-view consistency, `benchmarks/ablation.py`."""

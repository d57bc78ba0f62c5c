"""What only the paper's TensorFlow files need: checkpoints, names, weights."""

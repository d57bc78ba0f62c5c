"""The official program's arithmetic, oddities included, as thin wrappers around library functions.

The library implements the paper's mathematics. What the official program does otherwise is kept here, so that its
recorded numbers can be reproduced: a warp on integer pixels, E = R [t]x, depths of two cameras compared, a
covisible map with artefacts, flags as an outer product, sums over the batch, normals without gradient.
"""

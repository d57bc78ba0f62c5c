"""The Triton kernel of the CUDA rasterizer; importing this module imports triton."""

# Triton reads the annotations of its kernels, so they must not be strings.
import triton
import triton.language as tl


@triton.jit
def rasterize_kernel(  # type: ignore[no-untyped-def]
    verts_ptr,
    faces_ptr,
    packed_ptr,
    vertex_count,
    height,
    width,
    NEAR: tl.constexpr,
    MIN_DOUBLE_AREA: tl.constexpr,
    TILE_ROWS: tl.constexpr,
    TILE_COLUMNS: tl.constexpr,
):
    """Draw one triangle of one sample: a tile of pixels at a time over its bounding box.

    Each covered pixel's word becomes the maximum of itself and (bits of float32 1/z, face + 1): positive floats
    are ordered like their bits, so the nearest triangle wins, and the later one of equally near ones. The order
    of operations is that of the CPU kernel; the launch forbids fused multiply-adds, as they would break the exact
    antisymmetry of the edge functions.
    """
    face = tl.program_id(0).to(tl.int64)
    sample = tl.program_id(1).to(tl.int64)
    i0 = tl.load(faces_ptr + face * 3)
    i1 = tl.load(faces_ptr + face * 3 + 1)
    i2 = tl.load(faces_ptr + face * 3 + 2)
    drawn = (i0 >= 0) & (i1 >= 0) & (i2 >= 0)
    drawn = drawn & (i0 < vertex_count) & (i1 < vertex_count) & (i2 < vertex_count)

    corner0 = verts_ptr + (sample * vertex_count + i0) * 3
    corner1 = verts_ptr + (sample * vertex_count + i1) * 3
    corner2 = verts_ptr + (sample * vertex_count + i2) * 3
    u0 = tl.load(corner0, mask=drawn, other=0.0).to(tl.float64)
    v0 = tl.load(corner0 + 1, mask=drawn, other=0.0).to(tl.float64)
    z0 = tl.load(corner0 + 2, mask=drawn, other=0.0).to(tl.float64)
    u1 = tl.load(corner1, mask=drawn, other=0.0).to(tl.float64)
    v1 = tl.load(corner1 + 1, mask=drawn, other=0.0).to(tl.float64)
    z1 = tl.load(corner1 + 2, mask=drawn, other=0.0).to(tl.float64)
    u2 = tl.load(corner2, mask=drawn, other=0.0).to(tl.float64)
    v2 = tl.load(corner2 + 1, mask=drawn, other=0.0).to(tl.float64)
    z2 = tl.load(corner2 + 2, mask=drawn, other=0.0).to(tl.float64)

    area = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)
    # NaN fails every comparison.
    drawn = drawn & (z0 > NEAR) & (z1 > NEAR) & (z2 > NEAR) & (z0 + z1 + z2 < float("inf"))
    drawn = drawn & (tl.abs(area) > MIN_DOUBLE_AREA) & (tl.abs(area) < float("inf"))

    left = tl.ceil(tl.minimum(tl.minimum(u0, u1), u2) - 0.5)
    right = tl.floor(tl.maximum(tl.maximum(u0, u1), u2) - 0.5)
    top = tl.ceil(tl.minimum(tl.minimum(v0, v1), v2) - 0.5)
    bottom = tl.floor(tl.maximum(tl.maximum(v0, v1), v2) - 0.5)
    drawn = drawn & (left < width) & (right >= 0) & (top < height) & (bottom >= 0)
    first_column = tl.where(drawn, tl.maximum(left, 0.0), 0.0).to(tl.int32)
    end_column = tl.where(drawn, tl.minimum(right + 1, width), 0.0).to(tl.int32)
    first_row = tl.where(drawn, tl.maximum(top, 0.0), 0.0).to(tl.int32)
    end_row = tl.where(drawn, tl.minimum(bottom + 1, height), 0.0).to(tl.int32)

    sign = tl.where(area > 0, 1.0, -1.0).to(tl.float64)
    a0, b0, c0 = (v1 - v2) * sign, (u2 - u1) * sign, (u1 * v2 - u2 * v1) * sign
    a1, b1, c1 = (v2 - v0) * sign, (u0 - u2) * sign, (u2 * v0 - u0 * v2) * sign
    a2, b2, c2 = (v0 - v1) * sign, (u1 - u0) * sign, (u0 * v1 - u1 * v0) * sign
    # Divisors of one where nothing is drawn: no loop below runs then.
    w0 = sign / tl.where(drawn, area * z0, 1.0)
    w1 = sign / tl.where(drawn, area * z1, 1.0)
    w2 = sign / tl.where(drawn, area * z2, 1.0)

    lane = tl.arange(0, TILE_ROWS * TILE_COLUMNS)
    for row_start in range(first_row, end_row, TILE_ROWS):
        row = row_start + lane // TILE_COLUMNS
        y = row.to(tl.float64) + 0.5
        d0, d1, d2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
        for column_start in range(first_column, end_column, TILE_COLUMNS):
            column = column_start + lane % TILE_COLUMNS
            x = column.to(tl.float64) + 0.5
            e0, e1, e2 = a0 * x + d0, a1 * x + d1, a2 * x + d2
            inside = (e0 >= 0) & (e1 >= 0) & (e2 >= 0) & (row < end_row) & (column < end_column)
            inverse_depth = (e0 * w0 + e1 * w1 + e2 * w2).to(tl.float32)
            bits = inverse_depth.to(tl.int32, bitcast=True).to(tl.int64)
            word = (bits << 32) | (face + 1)
            pixel = (sample * height + row) * width + column
            tl.atomic_max(packed_ptr + pixel, word, mask=inside, sem="relaxed")

"""Videos as browsers record them: WebM without a length, and with frames that come when they like."""

import cv2
import numpy as np

VOID = 0xEC
DURATION, SEEK_HEAD, CUES = b"\x44\x89", b"\x11\x4d\x9b\x74", b"\x1c\x53\xbb\x6b"
SIMPLE_BLOCK, CLUSTER = 0xA3, b"\x1f\x43\xb6\x75"


def write_browser_video(path, pictures, milliseconds):
    """Write pictures (H, W, 3) with a time each, as MediaRecorder does: no duration, no index, no length.

    OpenCV writes an even WebM, whose elements (RFC 9559) are changed: times of the blocks, and all that tells the
    length is made void.
    """
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 10.0, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()
    data = bytearray(path.read_bytes())
    _make_void(data, data.index(DURATION), 2)
    for element in (SEEK_HEAD, CUES):
        if element in data:
            _make_void(data, data.index(element), 4)
    _unknown_size(data, data.index(b"\x18\x53\x80\x67") + 4)
    _set_times(data, milliseconds)
    path.write_bytes(data)
    return path


def _size(data, place):
    """Give the length of a variable-length number, and the number."""
    length = 8 - data[place].bit_length() + 1
    value = int.from_bytes(data[place : place + length], "big") - (1 << 7 * length)
    return length, value


def _make_void(data, place, id_length):
    length, size = _size(data, place + id_length)
    whole = id_length + length + size
    data[place : place + whole] = bytes([VOID, 0x08]) + (whole - 9).to_bytes(7, "big") + bytes(whole - 9)
    data[place + 1] = 0x01


def _unknown_size(data, place):
    length, _ = _size(data, place)
    data[place : place + length] = bytes([(1 << 8 - length + 1) - 1 & 0xFF]) + b"\xff" * (length - 1)


def _set_times(data, milliseconds):
    place, frame = data.index(CLUSTER), 0
    length, _ = _size(data, place + 4)
    place += 4 + length
    while place < len(data) and frame < len(milliseconds):
        assert data[place : place + 4] != CLUSTER, "expected a single cluster"
        length, size = _size(data, place + 1)
        if data[place] == SIMPLE_BLOCK:
            start = place + 1 + length + 1  # after the track's number
            data[start : start + 2] = int(milliseconds[frame]).to_bytes(2, "big", signed=True)
            frame += 1
        place += 1 + length + size

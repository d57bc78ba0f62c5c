"""Damage to files, by a seed: bits, blocks, lengths, numbers, encodings, lines, JSON fields, members of archives."""

import io
import json
import re
import struct
import zipfile

import numpy as np

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
ODD_NUMBERS = (b"nan", b"inf", b"-1", b"0", b"1e999", b"1e308", b"99999999999999999999", b"4294967296", b"-2147483649",
               b"1_2_3", b"\xd9\xa3", b"0x10", b"", b"--1", b"1.5", b"68000000000")  # fmt: skip
ODD_VALUES = (None, -1, 0, 1e308, 2**63, 10**30, "", "x", "../../evil", "/evil", "a" * 5000, [], {}, [[]], True,
              float("nan"), [1e308] * 3, {"class_path": "os.system"}, "${oc.env:HOME}", "\ud800")  # fmt: skip


def mutate(rng, data):
    """Give a damaged copy, and the name of what was done; `forged` says that checksums were mended after it."""
    kinds = [*BYTES, *BYTES]
    if _is_text(data):
        kinds += [*TEXT, *TEXT]
    if data[:4] == b"PK\x03\x04":
        kinds += [member] * 6
    if _json(data) is not None or _header(data) is not None:
        kinds += [field] * 8
    kind = kinds[rng.integers(len(kinds))]
    return kind(rng, data), kind.__name__


def _is_text(data):
    return b"\0" not in data[:4096] and sum(byte > 126 for byte in data[:4096]) < 0.05 * len(data[:4096])


def _place(rng, data):
    """Choose a place, as often in the head as in the rest: there stand the sizes."""
    return int(rng.integers(max(1, min(len(data), 256 if rng.random() < 0.5 else len(data)))))


def flip_bit(rng, data):
    changed, place = bytearray(data), _place(rng, data)
    changed[place : place + 1] = bytes([changed[place] ^ (1 << rng.integers(8))]) if data else b""
    return bytes(changed)


def noise(rng, data):
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 30))):
        if changed:
            changed[_place(rng, data)] = int(rng.integers(256))
    return bytes(changed)


def cut(rng, data):
    return data[: _place(rng, data)]


def cut_late(rng, data):
    return data[: len(data) - int(rng.integers(1, max(2, len(data) // 20)))]


def drop(rng, data):
    start = _place(rng, data)
    return data[:start] + data[start + int(rng.integers(1, max(2, len(data) // 4))) :]


def double(rng, data):
    start = _place(rng, data)
    end = start + int(rng.integers(1, max(2, len(data) // 4)))
    return data[:end] + data[start:end] + data[end:]


def zeros(rng, data):
    start, length = _place(rng, data), int(rng.integers(1, 600))
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def insert(rng, data):
    start = _place(rng, data)
    return data[:start] + rng.bytes(int(rng.integers(1, 60))) + data[start:]


def swap(rng, data):
    a, b = sorted((_place(rng, data), _place(rng, data)))
    return data[b:] + data[a:b] + data[:a]


def integer(rng, data):
    """Write an extreme integer over four or eight bytes."""
    start = _place(rng, data)
    value = struct.pack(*(("<I", int(rng.choice([0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0, 1 << 20])))
        if rng.random() < 0.6 else ("<Q", int(rng.choice([2**63 - 1, 2**40, 2**32 + 1, 0]))) ))  # fmt: skip
    if rng.random() < 0.3:
        value = value[::-1]
    return data[:start] + value + data[start + len(value) :]


def number(rng, data):
    """Write an odd number over one that stands there as text, be the rest text or not."""
    found = list(NUMBER.finditer(data[:4096] if rng.random() < 0.6 else data[:1_000_000]))
    if not found:
        return noise(rng, data)
    match = found[rng.integers(len(found))]
    return data[: match.start()] + ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))] + data[match.end() :]


def nothing(rng, data):
    return b"" if rng.random() < 0.5 else rng.bytes(int(rng.integers(1, 300)))


BYTES = (flip_bit, flip_bit, noise, cut, cut_late, drop, double, zeros, insert, swap, integer, number, nothing)


def _lines(rng, data):
    lines = data.splitlines(keepends=True) or [b""]
    return lines, int(rng.integers(min(len(lines), 8) if rng.random() < 0.5 else len(lines)))


def latin1(rng, data):
    start = _place(rng, data)
    return data[:start] + "Jos\u00e9 Mu\u00f1oz".encode("latin-1") + data[start:]


def utf16(rng, data):
    return data.decode("utf-8", "replace").encode(("utf-16", "utf-16-be", "utf-32", "utf-8-sig")[rng.integers(4)])


def torn_line(rng, data):
    lines, place = _lines(rng, data)
    lines[place] = lines[place][: int(rng.integers(len(lines[place]) + 1))]
    return b"".join(lines)


def line_gone(rng, data):
    lines, place = _lines(rng, data)
    return b"".join([*lines[:place], *lines[place + 1 :]])


def line_twice(rng, data):
    lines, place = _lines(rng, data)
    return b"".join([*lines[: place + 1], *lines[place:]])


def ends_early(rng, data):
    lines, place = _lines(rng, data)
    return b"".join(lines[:place])


def word(rng, data):
    words = re.split(rb"(\s+|[,;/:=\"])", data)
    odd = (*ODD_NUMBERS, b"../../evil", b"/evil/x.jpg", b"\0", b"a" * 5000, b"\xff\xfe", b"{", b"*a", b"..")
    words[int(rng.integers(min(len(words), 40 if rng.random() < 0.5 else len(words))))] = odd[rng.integers(len(odd))]
    return b"".join(words)


def separators(rng, data):
    a, b = [(b" ", b","), (b",", b" "), (b"\n", b"\r"), (b"\n", b"\r\n"), (b" ", b"\t"), (b"\n", b" ")][rng.integers(6)]
    return data.replace(a, b)


TEXT = (
    latin1,
    latin1,
    utf16,
    utf16,
    torn_line,
    line_gone,
    line_twice,
    ends_early,
    word,
    word,
    separators,
    number,
    number,
)


def _json(data):
    try:
        return json.loads(data) if data[:1] in (b"{", b"[") else None
    except ValueError:
        return None


def _header(data):
    """Give the JSON of a safetensors or GLB file, and where it lies."""
    start, length = (20, int.from_bytes(data[12:16], "little")) if data[:4] == b"glTF" else (
        8, int.from_bytes(data[:8], "little"))  # fmt: skip
    found = _json(data[start : start + length]) if length < len(data) else None
    return None if found is None else (found, start, length)


def field(rng, data):
    """Change, or take away, one value of a JSON file, or of the JSON that heads a safetensors or GLB file."""
    tree, head = _json(data), None
    if tree is None:
        head = _header(data)
        tree = head[0]
    _change(rng, tree)
    text = json.dumps(tree).encode("utf-8", "surrogatepass")
    if head is None:
        return text
    _, start, length = head
    text += b" " * (-len(text) % 8)
    if data[:4] == b"glTF":
        whole = struct.pack("<I", len(text)) + data[16:20] + text + data[start + length :]
        return data[:8] + struct.pack("<I", 12 + len(whole)) + whole
    return struct.pack("<Q", len(text)) + text + data[start + length :]


def _change(rng, tree):
    places = []

    def walk(node, depth):
        items = node.items() if isinstance(node, dict) else enumerate(node[:20]) if isinstance(node, list) else ()
        for key, value in items:
            places.append((depth, node, key))
            walk(value, depth + 1)

    walk(tree, 0)
    if not places:
        return
    depths = sorted({depth for depth, _, _ in places})
    depth = depths[rng.integers(len(depths))]
    of_depth = [place for place in places if place[0] == depth]
    _, node, key = of_depth[rng.integers(len(of_depth))]
    if rng.random() < 0.3:
        del node[key]
    elif isinstance(node[key], str) and rng.random() < 0.3 and (inner := _json(node[key].encode("utf-8"))) is not None:
        _change(rng, inner)
        node[key] = json.dumps(inner)
    else:
        node[key] = ODD_VALUES[rng.integers(len(ODD_VALUES))]


def member(rng, data):
    """Damage one member of a zip archive, and write the archive anew, so that its checksums hold."""
    source = zipfile.ZipFile(io.BytesIO(data))
    names = source.namelist()
    chosen = names[rng.integers(len(names))]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name in names:
            content = source.read(name)
            if name == chosen:
                if rng.random() < 0.15:
                    continue
                content = mutate(rng, content)[0]
            target.writestr(name, content)
    return stream.getvalue()


def mutate_one_of_many(rng, file, data):
    """Damage a file of a folder, take it away, or put a folder in its place; None: nothing is to be written."""
    chance = rng.random()
    if chance > 0.2:
        return mutate(rng, data)
    file.unlink()
    if chance > 0.1:
        return None, "absent"
    file.mkdir()
    return None, "folder"


FORGED = ("member",)
"""What damages a file and mends its checksums: nobody can tell."""


def rng_of(seed, target, number):
    return np.random.default_rng([seed, *target.encode(), number])

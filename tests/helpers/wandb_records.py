"""The file of a run of W&B, written as wandb does."""

import struct


def write_wandb(path, records):
    """Write a run's file as wandb does, cut into blocks."""
    data = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for record in records:
        rest, first = record.SerializeToString(), True
        while True:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += bytes(left)
                continue
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            data += struct.pack("<IHB", 0, len(part), kind) + part
            first = False
            if not rest:
                break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)

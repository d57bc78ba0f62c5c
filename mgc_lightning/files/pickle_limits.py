"""What a pickle may ask for, seen before any of it is followed: sizes that its bytes do not justify are refused."""

from __future__ import annotations

import io
import pickle
import pickletools

MOST_OPCODES = 20_000_000
"""Of one pickle: face models have thousands. As many take a minute to look through."""
_MEMO = ("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET")
_NEVER = ("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "INST", "OBJ")
"""Objects by numbers of a registry or a caller, and classes called in the earliest way: none is an array."""


def check_opcodes(data: bytes) -> int:
    r"""Look through a pickle without following it.

    The C unpickler allocates its memo by the largest index that is named, and strings by the length that is claimed:
    nine bytes ask for gigabytes.

    Args:
        data: that begins with the pickle.

    Returns:
        its length.

    Raises:
        pickle.UnpicklingError: if an index or a length is larger than the data justify, or it is no pickle.

    Example:
        >>> check_opcodes(pickle.dumps([1, 2])) == len(pickle.dumps([1, 2]))
        True
        >>> check_opcodes(b"\x80\x02Nr\xff\xff\xff\x0f.")
        Traceback (most recent call last):
        _pickle.UnpicklingError: place 268435455 of its memo
    """
    count = 0
    try:
        for opcode, argument, position in pickletools.genops(io.BytesIO(data)):
            count += 1
            if count > MOST_OPCODES:
                raise pickle.UnpicklingError(f"more than {MOST_OPCODES} steps")
            if opcode.name in _NEVER:
                raise pickle.UnpicklingError(f"`{opcode.name}`")
            # An entry of the memo takes a byte of the pickle at least, the one that makes it.
            if opcode.name in _MEMO and not 0 <= int(str(argument)) <= (position or 0) + 1:
                raise pickle.UnpicklingError(f"place {argument} of its memo")
            if opcode.name == "FRAME" and int(str(argument)) > len(data):
                raise pickle.UnpicklingError(f"a frame of {argument} bytes")
            if opcode.name == "STOP":
                return (position or 0) + 1
    except ValueError as error:  # it is cut off, or a length is larger than what follows
        raise EOFError(str(error)) from error
    raise EOFError("it has no end")

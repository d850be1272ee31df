"""Decodes the differences of two versions of a model: an example written from docs/delta-coding.md alone.

    pip install numpy
    python delta_coding.py --coded FILE --parameters 101770 --out FILE

Writes the differences as little-endian integers of 32 bits. Another program imports decode().
"""
import argparse
from struct import unpack

import numpy as np

BLOCK, LANES, SCALE, FIRST, ESCAPE = 256, 8, 4096, 65536, 0xFF


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        taken = self.data[self.at:self.at + count]
        self.at += count
        if len(taken) < count:
            raise ValueError("the differences are cut short")
        return taken

    def number(self):
        number = 0
        for place in range(5):
            byte = self.take(1)[0]
            number |= (byte & 127) << 7 * place
            if byte < 128:
                if number >= 1 << 32 or (byte == 0 and place > 0):
                    break
                return number
        raise ValueError("a number is not in its shortest form")

    def signed(self):
        number = self.number()
        return -(number + 1 >> 1) if number & 1 else number >> 1


class Table:
    def __init__(self, reader):
        head = reader.take(1)[0]
        self.shift, radius = head & 31, head >> 5
        f = [0] * 16
        for value in range(-radius, radius + 1):
            f[value + 7] = reader.number()
        if self.shift > 28 or sum(f) >= SCALE or max(f) ** 2 < SCALE:
            raise ValueError("a table is not valid")
        pairs = [a * c // SCALE for c in f for a in f]
        pairs[ESCAPE] = SCALE - sum(pairs)
        self.slots = [(pair, frequency, distance)
                      for pair, frequency in enumerate(pairs) for distance in range(frequency)]


def decode(data, d):
    """Returns the d differences as an array of np.int32."""
    reader, blocks, out = Reader(data), -(-d // BLOCK), np.zeros(d, "<i4")
    tables = [Table(reader) for _ in range(reader.take(1)[0])]
    numbers = [half for byte in reader.take(-(-blocks // 2)) for half in (byte & 15, byte >> 4)]
    if len(tables) > 15 or any(numbers[blocks:]) or any(number > len(tables) for number in numbers):
        raise ValueError("the tables of the blocks are not valid")
    if tables:
        states = list(unpack("<8I", reader.take(32)))
        count = unpack("<I", reader.take(4))[0]
        words = iter(unpack(f"<{count}H", reader.take(2 * count)))
        if min(states) < FIRST:
            raise ValueError("a state is not valid")
        for block, number in enumerate(numbers[:blocks]):
            if number:
                start, end = block * BLOCK, min(d, (block + 1) * BLOCK)
                out[start:end] = decode_block(tables[number - 1], end - start, states, words, reader)
        if states != [FIRST] * LANES or next(words, None) is not None:
            raise ValueError("pairs are left")
    if reader.at < len(data):
        raise ValueError("bytes are left")
    return out


def decode_block(table, count, states, words, reader):
    pairs = []
    for i in range(-(-count // (2 * LANES)) * LANES):
        x = states[i % LANES]
        pair, frequency, distance = table.slots[x % SCALE]
        x = frequency * (x // SCALE) + distance
        if x < FIRST:
            word = next(words, -1)
            if word < 0:
                raise ValueError("the words are cut short")
            x = FIRST * x + word
        states[i % LANES] = x
        pairs.append(pair)
    high = []
    for pair in pairs:
        high += [reader.signed(), reader.signed()] if pair == ESCAPE else [pair % 16 - 7, pair // 16 - 7]
    if any(high[count:]):
        raise ValueError("values after the last difference are not 0")
    values, s = np.array(high[:count], "i8") << table.shift, table.shift
    if s:
        low = int.from_bytes(reader.take(-(-count * s // 8)), "little")
        if low >> count * s:
            raise ValueError("spare bits are set")
        values |= np.array([low >> s * i & (1 << s) - 1 for i in range(count)], "i8")
    if np.abs(values.astype("f8") + 0.5).max() > 1 << 31:
        raise ValueError("a difference is not of 32 bits")
    return values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Decodes the differences of two versions")
    parser.add_argument("--coded", required=True, help="file with the bytes")
    parser.add_argument("--parameters", required=True, type=int, help="number of differences")
    parser.add_argument("--out", required=True, help="file for the differences")
    args = parser.parse_args()
    with open(args.coded, "rb") as file:
        decode(file.read(), args.parameters).tofile(args.out)

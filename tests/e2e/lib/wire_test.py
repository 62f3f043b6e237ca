#!/usr/bin/env python3
"""The encoders of the end-to-end tests against bytes from the specifications."""
import math
import os
import unittest

import perilune
import wire


def unsnappy(data):
    """Literals only: what wire.snappy writes."""
    n = shift = at = 0
    while True:
        b = data[at]
        at += 1
        n |= (b & 0x7F) << shift
        shift += 7
        if b < 0x80:
            break
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        assert tag & 3 == 0, "a literal"
        length = tag >> 2
        if length >= 60:
            extra = length - 59
            length = int.from_bytes(data[at:at + extra], "little")
            at += extra
        out += data[at:at + length + 1]
        at += length + 1
    assert len(out) == n
    return bytes(out)


class Wire(unittest.TestCase):
    def test_snappy_literals_of_every_form_come_back(self):
        for n in (0, 1, 59, 60, 61, 255, 256, 257, 65535, 65536, 65537, 200000):
            data = os.urandom(n)
            self.assertEqual(unsnappy(wire.snappy(data)), data)

    def test_snappy_is_as_the_format_description_says(self):
        self.assertEqual(wire.snappy(b"abc"), b"\x03\x08abc")

    def test_a_write_request_is_protobuf(self):
        self.assertEqual(
            wire.write_request([({"__name__": "up"}, [(1, 1.0)])]),
            b"\x0a\x1d" b"\x0a\x0e\x0a\x08__name__\x12\x02up"
            b"\x12\x0b\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x01")
        self.assertTrue(wire.sample(-1, 0.0).endswith(b"\xff" * 9 + b"\x01"))

    def test_labels_of_a_dict_are_sorted_and_those_of_a_list_are_not(self):
        sent = wire.write_request([({"b": "2", "a": "1"}, [])])
        self.assertLess(sent.index(b"a"), sent.index(b"b"))
        sent = wire.write_request([([("b", "2"), ("a", "1")], [])])
        self.assertLess(sent.index(b"b"), sent.index(b"a"))

    def test_msgpack_bytes_are_those_of_the_specification(self):
        for value, expected in ((None, b"\xc0"), (True, b"\xc3"), (127, b"\x7f"), (-32, b"\xe0"),
                                (128, b"\xcc\x80"), (-33, b"\xd0\xdf"), (65536, b"\xce\0\1\0\0"),
                                (-2 ** 63, b"\xd3\x80" + b"\0" * 7), ("a", b"\xa1a"),
                                (b"a", b"\xc4\x01a"), ([1], b"\x91\x01"),
                                ({"a": 1}, b"\x81\xa1a\x01"), (1.5, b"\xcb\x3f\xf8" + b"\0" * 6),
                                (wire.Ext(1, b"x"), b"\xd4\x01x"),
                                (wire.Ext(-1, b"xyz"), b"\xc7\x03\xffxyz")):
            self.assertEqual(wire.msgpack(value), expected)

    def test_msgpack_comes_back(self):
        value = {"s": ["x" * n for n in (0, 31, 32, 255, 256, 65535, 65536)], "b": b"\0" * 300,
                 "i": [0, -1, 2 ** 64 - 1, -2 ** 63, 255, 256, -128, -129, 65535, -32769],
                 "l": list(range(70000)), "d": {str(i): i for i in range(20)}, "f": 0.1}
        encoded = wire.msgpack(value)
        self.assertEqual(wire.unmsgpack(encoded), (value, len(encoded)))

    def test_bits_tell_zeros_apart_and_nans_not(self):
        self.assertNotEqual(wire.bits(0.0), wire.bits(-0.0))
        self.assertEqual(wire.bits(math.nan), wire.bits(-math.nan))


class Promises(unittest.TestCase):
    def test_what_is_lost_changed_doubled_or_invented_is_named(self):
        promised = perilune.Acknowledged()
        labels, key = {"__name__": "m"}, (("__name__", "m"),)
        promised.attempt(labels, [(1, 1.0), (2, 2.0), (3, 3.0)])
        promised.add(labels, [(1, 1.0), (2, 2.0)])
        self.assertEqual(promised.count(), 2)
        self.assertEqual(promised.differences({key: [(1, 1.0), (2, 2.0)]}), [])
        self.assertEqual(promised.differences({key: [(1, 1.0), (2, 2.0), (3, 3.0)]}), [])
        self.assertIn("lost", promised.differences({key: [(1, 1.0)]})[0])
        self.assertIn("became", promised.differences({key: [(1, 1.0), (2, 2.5)]})[0])
        self.assertIn("twice", promised.differences({key: [(1, 1.0), (2, 2.0), (2, 2.0)]})[0])
        self.assertIn("invented", promised.differences({key: [(1, 1.0), (2, 2.0), (9, 9.0)]})[0])


if __name__ == "__main__":
    unittest.main()

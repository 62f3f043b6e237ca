"""Wire formats in plain Python, written from their specifications, so that the server is not tested
by its own code: snappy blocks, protobuf of remote write 1.0, msgpack."""
import math
import struct


def bits(value):
    """The 64 bits of a float; every NaN is the same (JSON cannot tell them apart)."""
    return "NaN" if math.isnan(value) else struct.pack("<d", value)


# --- snappy block format ---

def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def snappy(data):
    """A valid snappy block of literals only."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        part = data[at:at + 65536]
        n = len(part) - 1
        if n < 60:
            out.append(n << 2)
        elif n < 256:
            out += bytes((60 << 2, n))
        else:
            out += bytes((61 << 2,)) + struct.pack("<H", n)
        out += part
    return bytes(out)


# --- protobuf: prometheus.WriteRequest ---

def field(number, payload):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def text(number, string):
    return field(number, string.encode() if isinstance(string, str) else string)


def sample(ms, value):
    """double value = 1; int64 timestamp = 2."""
    return b"\x09" + struct.pack("<d", value) + b"\x10" + varint(ms & (1 << 64) - 1)


def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


def histogram(ms, h):
    """prometheus.Histogram out of a map as docs/push.md has it."""
    def double(number, value):
        return varint(number << 3 | 1) + struct.pack("<d", value)

    def deltas(counts):
        return b"".join(zigzag(b - a) for a, b in zip([0] + counts, counts))

    floats = h.get("floats", False)
    out = double(2, h["count"]) if floats else b"\x08" + varint(h["count"])
    out += double(3, h["sum"]) + b"\x20" + zigzag(h.get("schema", 0))
    out += double(5, h.get("zero_threshold", 0))
    zero = h.get("zero_count", 0)
    out += double(7, zero) if floats else b"\x30" + varint(zero)
    for sign, first in (("negative", 8), ("positive", 11)):
        for offset, length in h.get(sign + "_spans", ()):
            out += field(first, b"\x08" + zigzag(offset) + b"\x10" + varint(length))
        counts = h.get(sign, [])
        if floats:
            out += field(first + 2, struct.pack(f"<{len(counts)}d", *counts))
        else:
            out += field(first + 1, deltas(counts))
    out += b"\x70" + varint(("unknown", "yes", "no", "gauge").index(h.get("reset", "unknown")))
    out += b"\x78" + varint(ms & (1 << 64) - 1)
    if "bounds" in h:
        out += field(16, struct.pack(f"<{len(h['bounds'])}d", *h["bounds"]))
    return out


METRIC_TYPES = {"unknown": 0, "counter": 1, "gauge": 2, "histogram": 3, "gaugehistogram": 4,
                "summary": 5, "info": 6, "stateset": 7}


def write_request(series, metadata=()):
    """series: [(labels as dict or list of pairs, [(ms, value), ...])], perhaps with a third part,
    exemplars [(labels, ms, value), ...]. Labels of a dict are sorted, those of a list are sent as
    they are. A value that is a map is a native histogram.
    metadata: [(metric, type, help, unit)]."""
    out = bytearray()
    for labels, samples, *more in series:
        pairs = sorted(labels.items()) if isinstance(labels, dict) else labels
        body = b"".join(field(1, text(1, k) + text(2, v)) for k, v in pairs)
        body += b"".join(field(4, histogram(ms, value)) if isinstance(value, dict)
                         else field(2, sample(ms, value)) for ms, value in samples)
        for exemplar, ms, value in (more[0] if more else ()):
            body += field(3, b"".join(field(1, text(1, k) + text(2, v))
                                      for k, v in exemplar.items())
                          + b"\x11" + struct.pack("<d", value) + b"\x18"
                          + varint(ms & (1 << 64) - 1))
        out += field(1, body)
    for metric, kind, help_text, unit in metadata:
        out += field(3, b"\x08" + varint(METRIC_TYPES[kind]) + text(2, metric) + text(4, help_text)
                     + text(5, unit))
    return bytes(out)


# --- msgpack ---

class Ext:
    """An extension value."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data


def _sized(n, fix, fix_max, codes):
    """Head of a value with a length: fix form, or the first of (limit, code, format) that fits."""
    if n <= fix_max:
        return bytes((fix | n,))
    for limit, code, form in codes:
        if n < limit:
            return bytes((code,)) + struct.pack(form, n)
    raise ValueError("too long")


def _integer(x):
    if -32 <= x < 128:
        return struct.pack("b", x)
    for low, high, code, form in ((0, 1 << 8, 0xCC, ">B"), (0, 1 << 16, 0xCD, ">H"),
                                  (0, 1 << 32, 0xCE, ">I"), (0, 1 << 64, 0xCF, ">Q"),
                                  (-(1 << 7), 0, 0xD0, ">b"), (-(1 << 15), 0, 0xD1, ">h"),
                                  (-(1 << 31), 0, 0xD2, ">i"), (-(1 << 63), 0, 0xD3, ">q")):
        if low <= x < high:
            return bytes((code,)) + struct.pack(form, x)
    raise ValueError("too large")


def msgpack(x):
    """Encode None, bool, int, float, str, bytes, list, tuple, dict, Ext in the shortest form."""
    if x is None:
        return b"\xc0"
    if x is True or x is False:
        return b"\xc3" if x else b"\xc2"
    if isinstance(x, int):
        return _integer(x)
    if isinstance(x, float):
        return b"\xcb" + struct.pack(">d", x)
    if isinstance(x, str):
        raw = x.encode()
        return _sized(len(raw), 0xA0, 31, ((1 << 8, 0xD9, ">B"), (1 << 16, 0xDA, ">H"),
                                           (1 << 32, 0xDB, ">I"))) + raw
    if isinstance(x, (bytes, bytearray)):
        return _sized(len(x), 0, -1, ((1 << 8, 0xC4, ">B"), (1 << 16, 0xC5, ">H"),
                                      (1 << 32, 0xC6, ">I"))) + bytes(x)
    if isinstance(x, (list, tuple)):
        return _sized(len(x), 0x90, 15, ((1 << 16, 0xDC, ">H"), (1 << 32, 0xDD, ">I"))) + b"".join(
            map(msgpack, x))
    if isinstance(x, dict):
        return _sized(len(x), 0x80, 15, ((1 << 16, 0xDE, ">H"), (1 << 32, 0xDF, ">I"))) + b"".join(
            msgpack(k) + msgpack(v) for k, v in x.items())
    if isinstance(x, Ext):
        kind = struct.pack("b", x.kind)
        fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(len(x.data))
        if fixed:
            return bytes((fixed,)) + kind + x.data
        return _sized(len(x.data), 0, -1, ((1 << 8, 0xC7, ">B"), (1 << 16, 0xC8, ">H"),
                                           (1 << 32, 0xC9, ">I"))) + kind + x.data
    raise TypeError(type(x))


def unmsgpack(data):
    """Decode one value: (value, bytes used)."""
    return _decode(data, 0)


def _container(data, at, n, is_map):
    items = []
    for _ in range(n * 2 if is_map else n):
        x, at = _decode(data, at)
        items.append(x)
    return (dict(zip(items[::2], items[1::2])) if is_map else items), at


_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b",
            0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_LENGTHS = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I", 0xD9: ">B",
            0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}


def _ext(data, at, n):
    return Ext(struct.unpack_from("b", data, at)[0], data[at + 1:at + 1 + n]), at + 1 + n


def _decode(data, at):
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 256, at
    if code < 0xA0:
        return _container(data, at, code & 15, code < 0x90)
    if code < 0xC0:
        n = code & 31
        return data[at:at + n].decode(), at + n
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    if code in _NUMBERS:
        form = _NUMBERS[code]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if 0xD4 <= code <= 0xD8:
        return _ext(data, at, 1 << (code - 0xD4))
    form = _LENGTHS[code]
    n = struct.unpack_from(form, data, at)[0]
    at += struct.calcsize(form)
    if code >= 0xDC:
        return _container(data, at, n, code >= 0xDE)
    if 0xC7 <= code <= 0xC9:
        return _ext(data, at, n)
    raw = data[at:at + n]
    return (raw.decode() if code >= 0xD9 else bytes(raw)), at + n

#!/usr/bin/env python3
"""The layer lint: which folder of core/ may include what.

    layers.py [ROOT]     names each offence as file:line: text; exit 1 if there is one

Rules (the floors of the house, docs/architecture.md):
  - a folder includes lower floors only, and itself; folders of one floor never each other
  - from outside a folder only its door, core/x/x.h
  - include paths are written from the root; include/perilune stands alone
  - a third-party header enters where the table says; what the table does not know is refused
  - model, codec and kernel do no I/O and know no threads; only base asks the system for the time
  - functions that depend on the locale or know no bounds are not used
  - no source file is longer than 800 lines
"""
import os
import re
import sys

FLOORS = {
    "base": 0, "model": 0, "codec": 0, "kernel": 0, "ui": 0,
    "store": 1, "net": 1, "vm": 1,
    "ingest": 2, "query": 2, "client": 2,
    "rule": 3,
    "api": 4, "bind": 4,
    "app": 5,
}
# Folders that may include only base (and include/perilune).
ON_BASE_ONLY = {"model", "codec", "kernel", "ui"}
PURE = {"model", "codec", "kernel"}

# The head of a header's path -> the folders it may enter.
THIRD_PARTY = {
    "uv.h": {"net", "vm"},
    "llhttp.h": {"net"},
    "curl/": {"net"},
    "lmdb.h": {"store"},
    "roaring/": {"store"},
    "lua.h": {"vm", "bind"},
    "lauxlib.h": {"vm", "bind"},
    "lualib.h": {"vm", "bind"},
    "luajit.h": {"vm", "bind"},
    "msgpack.h": {"ingest", "query", "rule", "api", "bind", "app"},
    "msgpack/": {"ingest", "query", "rule", "api", "bind", "app"},
    "pcre2.h": {"model"},
    "zstd.h": {"codec"},
    "zstd_errors.h": {"codec"},
    "snappy-c.h": {"codec"},
    "zlib.h": {"codec", "net"},
    "openssl/": {"base", "net"},
    "sodium.h": {"base", "api", "app"},
    "xxhash.h": {"base"},
    "yaml.h": {"rule", "app"},
    "histedit.h": {"app"},
    "editline/": {"app"},
}
SYSTEM = re.compile(
    r"^(assert|ctype|dirent|endian|errno|fcntl|fenv|float|fnmatch|fts|ftw|getopt|glob|grp|ifaddrs"
    r"|inttypes|iso646|langinfo|libgen|limits|locale|malloc|math|netdb|paths|poll|pthread|pwd|regex"
    r"|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio"
    r"|stdlib|stdnoreturn|string|strings|sysexits|syslog|termios|tgmath|time|uchar|ucontext|unistd"
    r"|wchar|wctype|cpuid|immintrin|nmmintrin|wmmintrin|x86intrin|execinfo|link|dlfcn"
    r"|sanitizer/[a-z_]+)\.h$|^(sys|linux|net|netinet|arpa|bits|asm)/[a-z0-9_/.-]+\.h$")
NOT_PURE = re.compile(
    r"^(pthread|threads|semaphore|unistd|fcntl|dirent|poll|signal|spawn|netdb|fts|ftw|glob)\.h$"
    r"|^(sys/(?!types\.h$|param\.h$)|net/|netinet/|arpa/|linux/)")
BANNED = re.compile(
    r"\b(strcpy|strcat|strncat|stpcpy|sprintf|vsprintf|strtok|gets|atof|atoi|atol|strtod|strtof"
    r"|strtold)\s*\(")
CLOCK = re.compile(r"\b(clock_gettime|gettimeofday)\s*\(|\btime\s*\(\s*(NULL|0)\s*\)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT_OR_TEXT = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
MAX_LINES = 800


def blank(match):
    """Comments and strings to blanks, lines kept."""
    return re.sub(r"[^\n]", " ", match.group(0))


def floor_offence(folder, target):
    """Why core/<folder> may not include core/<target>, or None."""
    if target not in FLOORS:
        return f"core/{target} is no folder of the house that others include"
    if folder == target:
        return None
    if folder in ON_BASE_ONLY:
        return None if target == "base" else f"{folder} may include base only"
    if FLOORS[target] == 0 and FLOORS[folder] == 0:
        return f"{folder} and {target} are on one floor"
    if FLOORS[target] > FLOORS[folder]:
        return f"{folder} (floor {FLOORS[folder]}) may not include {target} above it"
    if FLOORS[target] == FLOORS[folder]:
        return f"{folder} and {target} are on one floor"
    return None


def third_party_offence(folder, header):
    """Why core/<folder> may not include <header>, or None. folder None: include/perilune."""
    for head, folders in THIRD_PARTY.items():
        if header == head or (head.endswith("/") and header.startswith(head)):
            if folder in folders:
                return None
            return f"<{header}> enters at {', '.join(sorted(folders))} only"
    if not SYSTEM.match(header):
        return f"<{header}> is not in the table of tests/lint/layers.py"
    if folder in PURE and NOT_PURE.match(header):
        return f"{folder} is pure (no I/O, no threads): no <{header}>"
    return None


def include_offence(folder, kind, path):
    if kind == "<":
        return third_party_offence(folder, path)
    if path.startswith("perilune/"):
        return None
    if folder is None:
        return f'include/perilune stands alone: no "{path}"'
    match = re.match(r"core/([a-z0-9_]+)/(.+)$", path)
    if not match:
        return f'"{path}" is not written from the root'
    target, rest = match.groups()
    offence = floor_offence(folder, target)
    if offence:
        return offence
    if target != folder and rest != f"{target}.h":
        return f'from outside only the door core/{target}/{target}.h, not "{path}"'
    return None


def check_file(root, name):
    """Offences of one C file as (line, text)."""
    parts = name.split("/")
    folder = parts[1] if parts[0] == "core" else None
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as f:
        text = f.read()
    offences = []
    if parts[0] == "core" and folder not in FLOORS:
        offences.append((1, f"core/{folder} is not a folder of the house"))
        return offences
    code = COMMENT_OR_TEXT.sub(blank, text).split("\n")
    lines = text.split("\n")
    for number, (line, bare) in enumerate(zip(lines, code), 1):
        match = INCLUDE.match(line)
        # An include inside a comment is blank in the bare text.
        if match and bare.lstrip().startswith("#"):
            offence = include_offence(folder, *match.groups())
            if offence:
                offences.append((number, offence))
        for banned in BANNED.finditer(bare):
            offences.append((number, f"{banned.group(1)} depends on the locale or knows no bounds"))
        if folder != "base" and CLOCK.search(bare):
            offences.append((number, "time comes from a pl_clock, not from the system"))
    if parts[0] == "core" and name.endswith(".h") and "#pragma once" not in text:
        offences.append((1, "a header begins with #pragma once"))
    return offences


def sources(root):
    """Paths of the files to look at, from the root."""
    for top in ("core", "include", "lua", "scripts"):
        for where, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = sorted(d for d in folders if d not in ("dist", "node_modules"))
            for file in sorted(files):
                yield os.path.relpath(os.path.join(where, file), root).replace(os.sep, "/")


def check(root):
    """All offences of a tree as lines of text."""
    out = []
    for name in sources(root):
        if not name.endswith((".c", ".h", ".lua")):
            continue
        with open(os.path.join(root, name), "rb") as f:
            n = f.read().count(b"\n")
        if n > MAX_LINES:
            out.append(f"{name}:{n}: {n} lines; {MAX_LINES} are the most")
        if name.endswith((".c", ".h")):
            out += [f"{name}:{line}: {text}" for line, text in check_file(root, name)]
    return out


def main(argv):
    root = argv[1] if len(argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    offences = check(root)
    for line in offences:
        print(line)
    if offences:
        print(f"layers: {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

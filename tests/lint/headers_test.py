#!/usr/bin/env python3
"""Every header compiles alone; those of include/perilune as C and as C++."""
import concurrent.futures
import glob
import os
import subprocess
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
INCLUDES = ["-I.", "-Iinclude", "-I/usr/include/luajit-2.1",
            "-I" + os.path.join(os.environ.get("PL_DEPS_DIR", "build/deps"),
                                "usr/share/include/llhttp")]


def complaint(header, language, *options):
    """What the compiler says about a header, or None."""
    done = subprocess.run(["clang", "-fsyntax-only", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow",
                           "-Werror", *options, "-x", language, "-include", header, os.devnull],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{header} as {language}:\n{done.stderr}" if done.returncode else None


class Headers(unittest.TestCase):
    def none_complained(self, jobs):
        self.assertTrue(jobs)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            said = [text for text in pool.map(lambda job: complaint(*job), jobs) if text]
        self.assertFalse(said, "\n".join(said))

    def test_public_headers_compile_alone_as_c_and_as_cpp(self):
        headers = glob.glob("include/perilune/*.h", root_dir=ROOT)
        self.none_complained([(h, "c", "-std=c11", "-Iinclude") for h in headers]
                             + [(h, "c++", "-std=c++11", "-Iinclude") for h in headers])

    def test_headers_of_the_core_compile_alone(self):
        headers = glob.glob("core/*/*.h", root_dir=ROOT)
        self.none_complained([(h, "c", "-std=c11", *INCLUDES) for h in headers])


if __name__ == "__main__":
    unittest.main()

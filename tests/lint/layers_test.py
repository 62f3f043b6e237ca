#!/usr/bin/env python3
"""The layer lint finds what it promises to find, and nothing in a clean tree."""
import os
import tempfile
import unittest

import layers


class Layers(unittest.TestCase):
    def offences(self, **files):
        """Lint a tree of {path with __ for /, _H or _C at the end: text}."""
        with tempfile.TemporaryDirectory() as root:
            for key, text in files.items():
                path, ending = key.rsplit("_", 1)
                path = os.path.join(root, path.replace("__", "/") + "." + ending.lower())
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            return layers.check(root)

    def refused(self, folder, line, because):
        found = self.offences(**{f"core__{folder}__x_C": f"\n{line}\n"})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"core/{folder}/x.c:2: "), found)
        self.assertIn(because, found[0])

    def allowed(self, folder, line):
        self.assertEqual(self.offences(**{f"core__{folder}__x_C": line + "\n"}), [])

    def test_includes_go_down(self):
        self.allowed("store", '#include "core/codec/codec.h"')
        self.allowed("app", '#include "core/api/api.h"')
        self.allowed("rule", '#include "core/vm/vm.h"')
        self.allowed("query", '#include "core/store/store.h"')
        self.refused("store", '#include "core/query/query.h"', "above")
        self.refused("base", '#include "core/store/store.h"', "above")

    def test_folders_of_one_floor_do_not_know_each_other(self):
        self.refused("store", '#include "core/net/net.h"', "one floor")
        self.refused("ingest", '#include "core/query/query.h"', "one floor")
        self.refused("api", '#include "core/bind/bind.h"', "one floor")
        self.refused("base", '#include "core/model/model.h"', "one floor")
        self.refused("codec", '#include "core/model/model.h"', "base only")

    def test_only_the_door_is_seen_from_outside(self):
        self.refused("store", '#include "core/base/buf.h"', "the door core/base/base.h")
        self.allowed("base", '#include "core/base/buf.h"')
        self.allowed("store", '#include "core/store/journal.h"')

    def test_the_client_library_stands_on_codec_and_store_and_the_public_headers(self):
        self.allowed("client", '#include "perilune/push.h"')
        self.allowed("client", '#include "core/base/base.h"')
        self.allowed("client", '#include "core/store/store.h"')
        self.refused("client", '#include "core/ingest/ingest.h"', "one floor")

    def test_paths_are_written_from_the_root(self):
        self.refused("store", '#include "journal.h"', "from the root")
        self.refused("store", '#include "../base/base.h"', "from the root")

    def test_third_party_headers_enter_at_their_floor(self):
        self.allowed("store", "#include <lmdb.h>")
        self.refused("query", "#include <lmdb.h>", "enters at store")
        self.refused("rule", "#include <lua.h>", "enters at bind, vm")
        self.refused("ingest", "#  include <curl/curl.h>", "enters at net")
        self.refused("store", "#include <zstd.h>", "enters at codec")
        self.refused("net", "#include <hiredis/hiredis.h>", "not in the table")
        self.allowed("net", "#include <sys/socket.h>")

    def test_pure_folders_have_no_threads_and_no_io(self):
        self.refused("kernel", "#include <pthread.h>", "pure")
        self.refused("codec", "#include <unistd.h>", "pure")
        self.refused("model", "#include <sys/socket.h>", "pure")
        self.allowed("kernel", "#include <immintrin.h>")
        self.allowed("store", "#include <pthread.h>")

    def test_time_comes_from_a_clock_and_numbers_from_our_parser(self):
        self.refused("store", "clock_gettime(CLOCK_REALTIME, &ts);", "pl_clock")
        self.refused("net", "x = time(NULL);", "pl_clock")
        self.allowed("base", "clock_gettime(CLOCK_REALTIME, &ts);")
        self.refused("ingest", "x = strtod(p, NULL);", "strtod")
        self.refused("ingest", "sprintf(b, fmt);", "sprintf")
        self.allowed("ingest", "snprintf(b, n, fmt); x = pl_strtod(p);")

    def test_comments_and_strings_are_no_code(self):
        self.allowed("store", '/* never strcpy(a, b)\n#include "core/app/app.h"\n*/')
        self.allowed("store", 'say("strcpy(a, b)"); // time(NULL)')

    def test_public_headers_stand_alone(self):
        found = self.offences(include__perilune__push_H='#include "core/base/base.h"\n')
        self.assertEqual(len(found), 1)
        self.assertIn("stands alone", found[0])
        self.assertEqual(self.offences(include__perilune__push_H='#include "perilune/err.h"\n'), [])

    def test_a_folder_that_is_not_in_the_house_is_refused(self):
        found = self.offences(core__util__x_C="\n")
        self.assertIn("core/util is not a folder of the house", found[0])

    def test_long_files_and_headers_without_guard_are_refused(self):
        found = self.offences(core__store__x_C="\n" * 801, core__store__y_C="\n" * 800)
        self.assertEqual(found, ["core/store/x.c:801: 801 lines; 800 are the most"])
        self.assertIn("#pragma once", self.offences(core__store__x_H="\n")[0])


if __name__ == "__main__":
    unittest.main()

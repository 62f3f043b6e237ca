#!/usr/bin/env python3
# quick
"""Every endpoint, asked wrongly: it answers with what is wrong, and the server lives."""
import itertools
import re

import perilune

PARAMETERS = ("query", "time", "start", "end", "step", "timeout", "limit", "match[]", "precision",
              "extra_label", "dir", "metric", "db")
WRONG = ("", "x", "-1", "1e999", "NaN", "{", "{}", '{a="', "\x00", "\u00e9" * 300, "9" * 40)


class Wrong(perilune.ServerCase):
    def routes(self):
        page = self.client.get("/").text
        found = re.findall(r"<tr><td>([A-Z ]+)</td><td>.*?<code>(?:<[^>]*>)?([^<]+)", page)
        self.assertGreater(len(found), 20)
        return [(method, path.replace("*", "job")) for methods, path in found
                for method in methods.split()]

    def ask(self, method, path, body=None, headers=None):
        reply = self.client.request(method, path, body, headers)
        if reply.status == 503 and "timeout=-1" in path: # the time is up before it begins
            self.assertEqual(reply.json["errorType"], "timeout")
            return reply
        self.assertLess(reply.status, 500, (method, path, headers, reply))
        return reply

    def test_an_unknown_tenant_and_a_bad_name(self):
        for method, path in self.routes():
            for tenant, status in (("nobody", 404), ("a/b", 400), ("..", 400), ("x" * 151, 400)):
                for body in (None, b"{}", b"a 1\n"):
                    reply = self.ask(method, path, body if method != "GET" else None,
                                     {"X-Scope-OrgID": tenant})
                    if path.startswith(("/api/v1/push", "/api/v1/write", "/write", "/api/v2")):
                        self.assertEqual(reply.status, status, (method, path, tenant))

    def test_parameters_that_mean_nothing(self):
        self.client.push_text("a 1\n")
        encode = perilune.urllib.parse.urlencode
        for method, path in self.routes():
            self.ask(method, path)
            if path.endswith("/snapshot"): # takes none of them, and each is a copy
                self.ask(method, f"{path}?skip_head=x")
                continue
            for name, value in itertools.product(PARAMETERS, WRONG):
                rest = {"query": "a", "start": "1", "end": "2", "step": "1", "match[]": "a"}
                self.ask(method, f"{path}?{encode({**rest, name: value})}")
                if method == "POST":
                    self.ask(method, path, encode({name: value}),
                             {"Content-Type": "application/x-www-form-urlencoded"})

    def test_methods_and_paths_that_are_not_there(self):
        for _, path in self.routes():
            for method in ("DELETE", "PATCH", "PUT", "OPTIONS", "HEAD", "TRACE"):
                self.ask(method, path)
            for other in (path + "/", path + "/x", path + "%00", path.upper()):
                self.ask("GET", other)


if __name__ == "__main__":
    perilune.main()

"""nginx over TLS: its own count is the ledger's, what is wrong with a certificate is said, sessions are resumed."""

import os
import subprocess
import unittest

from support import Case, Nginx, RATE, TOLERANCE, again_if_it_stood_still, free_port, plan_text


class Tls(Case):
    def secure_nginx(self, more="", protocol="", logged="$ssl_session_reused"):
        """nginx with TLS at one port, its count in the clear at another, and a log of each request."""
        self.certificate("site")

        def start(port):
            self.secure_port = free_port()
            self.write("nginx.conf", f"""
                daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
                worker_rlimit_nofile 10000;
                events {{ worker_connections 4000; }}
                http {{ log_format one {logged}; access_log off;
                  keepalive_requests 1000000000; keepalive_timeout 300s;
                  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
                  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                  server {{ listen 127.0.0.1:{port}; location = /status {{ stub_status; }} }}
                  server {{ listen 127.0.0.1:{self.secure_port} ssl {protocol} backlog=1024; {more}
                            ssl_certificate {self.folder}/site.pem; ssl_certificate_key {self.folder}/site.key;
                            ssl_session_cache shared:tls:1m; access_log {self.folder}/access.log one;
                            location /ok {{ return 200 ok; }} }} }}""")
            return self.start("nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("nginx.conf"))
        nginx = Nginx(self.serve("nginx", start))
        nginx.url = f"https://127.0.0.1:{self.secure_port}/ok"
        return nginx

    def run_plan(self, url, goal, http, seconds, code=None, more=""):
        plan = self.write("plan.yaml", plan_text(url, goal, f"{seconds}s", "0", f"http: {{{http}}}\n{more}"))
        run = self.clobber("run", plan, "--quiet", "--out", self.path("out"))
        self.finish(run, seconds + 10, code)
        self.screen = self.read(run.out)
        return self.result()

    @again_if_it_stood_still
    def test_a_rate_is_held_and_nginx_counts_the_same(self):
        nginx = self.secure_nginx()
        result = self.run_plan(nginx.url, f"{{hold: {RATE}/s, {TOLERANCE}}}",
                               "tls: {ca: site.pem, server_name: localhost}", 4, 0)
        self.assert_balanced(result)
        self.assert_planned(result, RATE * 4)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])

    def test_a_refused_certificate_is_told_with_its_reason_and_nothing_is_sent(self):
        nginx = self.secure_nginx()
        for http, word in (("tls: {ca: site.pem, server_name: other.example}", "tls_name"), ("tls: {}", "tls_issuer")):
            result = self.run_plan(nginx.url, "{concurrency: 2}", http, 1, 3)
            self.assert_balanced(result)
            self.assertEqual(result["ledger"]["unwritten"], result["ledger"]["started"])
            self.assertIn(word, result["errors"])
            self.assertIn(word, [event["kind"] for event in result["events"]])
            self.assertIn("the target's certificate", self.screen)
            subprocess.run(["rm", "-r", self.path("out")], check=True)
        self.assertEqual(nginx.requests(), 0)

    def test_new_connections_go_on_with_earlier_sessions(self):
        nginx = self.secure_nginx()
        result = self.run_plan(nginx.url, "{hold: 200/s, tolerance: 50%}",
                               "keep_alive: false, tls: {verify: false}", 2)
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assertGreater(result["latency"]["tls"]["max_ns"], 0)
        reused = self.read(self.path("access.log")).split("\n")[:-1]
        self.assertEqual(len(reused), result["ledger"]["ok"])
        self.assertGreater(reused.count("r"), len(reused) / 2)

    def test_http2_over_tls_asks_for_each_index_once(self):
        nginx = self.secure_nginx(protocol="http2", logged="$server_protocol$request_uri")
        result = self.run_plan(nginx.url, "{concurrency: 12}", "version: 2, streams: 4, tls: {verify: false}", 2, 0,
                               'requests: [{get: "/ok/{{ seq }}"}]\n')
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertEqual(ledger["ok"], ledger["started"])
        self.assertEqual(nginx.requests(), ledger["started"])
        asked = self.read(self.path("access.log")).split("\n")[:-1]
        self.assertCountEqual(asked, [f"HTTP/2.0/ok/{index}" for index in range(ledger["started"])])

    def test_our_certificate_is_shown_and_our_key_nowhere(self):
        self.certificate("ours")
        nginx = self.secure_nginx(f"ssl_client_certificate {self.folder}/ours.pem; ssl_verify_client on;")
        result = self.run_plan(nginx.url, "{concurrency: 2}",
                               "tls: {verify: false, certificate: ours.pem, key: ours.key}", 1, 0)
        self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])
        secret = self.read(self.path("ours.key")).split("\n")[1]
        shown = [self.screen] + [self.read(os.path.join(self.path("out"), name)) for name in os.listdir(self.path("out"))]
        self.assertFalse(any(secret in text for text in shown))


if __name__ == "__main__":
    unittest.main()

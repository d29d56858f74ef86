"""Stands between a browser and the status page: says which answer it was, and counts.  proxy.py LISTEN UPSTREAM LOG DIE_AFTER"""
import http.client
import http.server
import sys

listen, upstream, log, die_after = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
count = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global count
        count += 1
        with open(log, "a") as f:
            f.write(self.path + "\n")
        if count > die_after:
            self.send_response(503)
            self.end_headers()
            return
        c = http.client.HTTPConnection("127.0.0.1", upstream, timeout=10)
        c.request("GET", self.path, headers={"Host": self.headers["Host"]})
        r = c.getresponse()
        body = r.read().replace(b"<h1>gatepost</h1>", b"<h1>gatepost</h1><i>answer %d</i>" % count)
        self.send_response(r.status)
        for name, value in r.getheaders():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.HTTPServer(("127.0.0.1", listen), Handler).serve_forever()

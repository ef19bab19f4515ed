"""DynamoDB for tests: moto's, on a port of loopback that the system chooses, which the first line says.

One request at a time: moto takes an item apart from its condition without a lock, and DynamoDB's updates are atomic.
Ends when its standard input does, so that none outlives a test that was killed.
"""

import os
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Silent(WSGIRequestHandler):
    def log(self, *_):
        pass


def end_with_input():
    sys.stdin.read()
    os._exit(0)


application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=False, request_handler=Silent)
threading.Thread(target=end_with_input, daemon=True).start()
print(server.port, flush=True)
server.serve_forever()

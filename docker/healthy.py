"""Exit status 0 where the web server of this container answers without an error."""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
try:
    connection.request("GET", "/")
    sys.exit(connection.getresponse().status >= 500)
except OSError as error:
    sys.exit(f"The web server does not answer: {error}.")

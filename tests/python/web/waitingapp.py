"""A Flask application that answers after as long as it is asked to, and says how long its view took."""

import time

from flask import Flask

app = Flask(__name__)


@app.get("/waits/<int:ms>")
def waits(ms):
    started = time.monotonic_ns()
    time.sleep(ms / 1000)
    return {"view_ns": time.monotonic_ns() - started}

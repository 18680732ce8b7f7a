"""Celery tasks: one that works, one that fails, one that tries again, one that is late."""

import os

from celery import Celery

app = Celery("celeryapp", broker=os.environ.get("SUMS_BROKER", "memory://"), backend=os.environ.get("SUMS_BACKEND"))
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False, result_expires=60)


def square(number):
    return number * number


@app.task
def squares(until):
    return sum(square(number) for number in range(until))


@app.task(name="given.name")
def fails():
    raise LookupError("a secret")


@app.task(bind=True, max_retries=3)
def tries(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def calls_another():
    return squares.apply(args=[5]).result

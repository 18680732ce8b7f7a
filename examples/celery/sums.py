"""Tasks in Celery: `xray run --app sums -- celery --app sums worker --concurrency 2`."""

import os

from celery import Celery

app = Celery("sums", broker=os.environ.get("SUMS_BROKER", "redis://localhost:6379/0"))
app.conf.broker_connection_retry_on_startup = True


def square(number: int) -> int:
    return number * number


@app.task
def squares(until: int) -> int:
    return sum(square(number) for number in range(until))


@app.task(bind=True, max_retries=2)
def second_try(self) -> None:
    if self.request.retries < 1:
        raise self.retry(countdown=0)


if __name__ == "__main__":
    for _ in range(20):
        squares.delay(100)

"""Three endpoints that do different things, with SQL of their own, and know what they have called.

Each counts its own calls in its own context, by a variable of the standard library: the oracle is not xray.
"""

import asyncio
import contextvars
import sqlite3
from collections import Counter

from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool

app = FastAPI()
counts = contextvars.ContextVar("counts")
#: By the number that a client gives to its request: what was called for it.
oracle = {}


def query(table, number):
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE {table} (number)")
    connection.execute(f"INSERT INTO {table} VALUES (?)", (number,))
    found = connection.execute(f"SELECT number FROM {table}").fetchone()[0]
    connection.close()
    return found


def alpha_leaf(n):
    counts.get()["alpha_leaf"] += 1
    return n + 1


async def alpha_inner(n):
    counts.get()["alpha_inner"] += 1
    await asyncio.sleep(0.001 * (n % 3))
    return sum(alpha_leaf(each) for each in range(n))


def alpha_in_thread(n):
    counts.get()["alpha_in_thread"] += 1
    return alpha_leaf(n) + query("alpha", n)


def beta_leaf(n):
    return n * 2


async def beta_inner(n):
    await asyncio.sleep(0)
    return sum(beta_leaf(each) for each in range(n))


def gamma_leaf(n):
    return n - 1


async def open_session(request: Request):
    yield query("sessions", 1)


@app.get("/alpha/{n}")
async def alpha(n: int, request: Request, session: int = Depends(open_session)):
    counter = Counter()
    counts.set(counter)
    first = await alpha_inner(n)
    rest = await asyncio.gather(*(alpha_inner(each) for each in (2, 3)), asyncio.create_task(alpha_inner(4)))
    in_thread = await run_in_threadpool(alpha_in_thread, n)
    oracle[request.query_params["id"]] = dict(counter)
    return {"alpha": [first, *rest, in_thread, session]}


@app.get("/beta/{n}")
async def beta(n: int):
    return {"beta": [await beta_inner(n), query("beta", n), *await asyncio.gather(beta_inner(2), beta_inner(3))]}


@app.get("/gamma/{n}")
def gamma(n: int):
    return {"gamma": sum(gamma_leaf(each) for each in range(n)) + query("gamma", n)}


@app.get("/oracle")
async def told():
    return oracle

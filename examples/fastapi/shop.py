"""A shop in FastAPI: `xray run --app shop -- uvicorn shop:app --port 8000`."""

import asyncio

from fastapi import BackgroundTasks, FastAPI

app = FastAPI()
mails: list[str] = []


def price(item: int) -> int:
    return sum(part * part for part in range(item % 1000))


async def stock(item: int) -> int:
    await asyncio.sleep(0.002)  # as a database would take
    return item % 7


@app.get("/items/{item}")
async def show(item: int) -> dict[str, int]:
    return {"item": item, "price": price(item), "stock": await stock(item)}


@app.post("/items/{item}/orders")
async def order(item: int, tasks: BackgroundTasks) -> dict[str, int]:
    tasks.add_task(mails.append, f"one {item}, please")
    return {"ordered": item}

"""A FastAPI application: routers in one another, dependencies, tasks, an application below another."""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from flaskapp import app as flask_application
from starlette.middleware.wsgi import WSGIMiddleware
from starlette.staticfiles import StaticFiles

#: What background tasks and dependencies have done.
done = []

app = FastAPI(title="blog")


async def session():
    yield "session"
    done.append("closed")


def later(word):
    done.append(word)


@app.get("/")
async def home():
    return {"home": True}


@app.get("/tags/{tag}", name="tag_detail")
async def tag(tag: str, open_session: Annotated[str, Depends(session)]):
    return {"tag": tag, "session": open_session}


@app.post("/tags/{tag}/later")
async def tag_later(tag: str, tasks: BackgroundTasks):
    tasks.add_task(later, tag)
    return {"accepted": tag}


@app.get("/numbers/{number}")
def number(number: int):
    return number + 1


@app.get("/fails")
async def fails():
    raise LookupError("a secret")


@app.get("/missing")
async def missing():
    raise HTTPException(404)


@app.websocket("/echo/{room}")
async def echo(socket: WebSocket, room: str):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{room}: {text}")


inner = APIRouter(prefix="/inner")


@inner.get("/{name}")
async def named(name: str):
    await asyncio.sleep(0)
    return name


@inner.websocket("/socket")
async def inner_socket(socket: WebSocket):
    await socket.close()


outer = APIRouter(prefix="/outer")


@outer.api_route("/{name}", methods=["GET", "PATCH"])
async def outer_named(name: str):
    return name


outer.include_router(inner, prefix="/with-{kind}")
app.include_router(outer, prefix="/v1")

below = FastAPI()


@below.get("/users/{user}", name="user")
async def user(user: str):
    return user


app.mount("/below", below, name="below")
app.mount("/static", StaticFiles(directory=Path(__file__).parent), name="static")
app.mount("/flask", WSGIMiddleware(flask_application), name="flask")

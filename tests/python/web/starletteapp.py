"""A Starlette application with every way to route."""

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
#: What background tasks have done.
done = []


async def plain(request):
    return PlainTextResponse(f"plain {request.path_params}")


def in_thread(request):
    return PlainTextResponse("in a thread")


async def fails(request):
    raise LookupError("a secret")


async def refuses(request):
    raise HTTPException(418)


async def streams(request):
    async def parts():
        for number in range(3):
            await asyncio.sleep(0)
            yield f"part {number} "

    return StreamingResponse(parts(), background=BackgroundTask(later, "streamed"))


async def streams_without_end(request):
    async def parts():
        while True:
            yield "again "
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


def later(word):
    done.append(word)


async def later_async(word):
    await asyncio.sleep(0)
    done.append(word)


def later_fails():
    raise LookupError("a secret")


async def with_tasks(request):
    tasks = BackgroundTasks()
    tasks.add_task(later, "one")
    tasks.add_task(later_async, "two")
    return PlainTextResponse("accepted", background=tasks)


async def with_failing_task(request):
    return PlainTextResponse("accepted", background=BackgroundTask(later_fails))


class Page(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("page")


async def echo(socket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


class Echo(WebSocketEndpoint):
    encoding = "text"

    async def on_receive(self, websocket, data):
        await websocket.send_text(data)


async def refuses_socket(socket):
    await socket.close()


async def raw(scope, receive, send):
    """An ASGI application without a framework."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"raw"})


class Passing(BaseHTTPMiddleware):
    """Runs what is inside it in a task of its own."""

    async def dispatch(self, request, call_next):
        return await call_next(request)


routes = [
    Route("/", plain, name="home"),
    Route("/tags/{tag}", plain, methods=["GET", "PUT"], name="tag"),
    Route("/years/{year:int}/", plain),
    Route("/rest/{rest:path}", plain, name="rest"),
    Route("/page", Page, name="page"),
    Route("/thread", in_thread),
    Route("/fails", fails),
    Route("/refuses", refuses),
    Route("/streams", streams),
    Route("/endless", streams_without_end),
    Route("/tasks", with_tasks),
    Route("/failing-task", with_failing_task),
    WebSocketRoute("/echo/{room}", echo, name="echo"),
    WebSocketRoute("/echo-class", Echo),
    WebSocketRoute("/refuses-socket", refuses_socket),
    Mount("/users/{user}", routes=[Route("/posts/{post}", plain, name="post")], name="users"),
    Mount("/sub", app=Starlette(routes=[Route("/{name}", plain, name="named")]), name="sub"),
    Mount("/deep", routes=[Mount("/er", app=Router([Route("/x", plain, name="x")]), name="er")], name="deep"),
    Mount("/wrapped", app=Passing(Starlette(routes=[Route("/x", plain, name="x")]))),
    Mount("/static", app=StaticFiles(directory=HERE), name="static"),
    Mount("/raw", app=raw),
    Host("api.example.org", app=Router([Route("/only-there", plain, name="there")]), name="api"),
]


async def not_json(request, error):
    return JSONResponse({"error": "teapot"}, status_code=418)


app = Starlette(routes=routes, middleware=[Middleware(Passing)], exception_handlers={418: not_json})
bare = Starlette(routes=routes, exception_handlers={418: not_json})

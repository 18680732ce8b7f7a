"""Every spelling of `--transaction`, given to a session on a served application: each records the same requests.

Nothing but a 404 was asked before, so that it is the application's router that knows the names.
"""

import re
import subprocess
import sys

import pytest
from celery import Celery
from served import HERE, Served
from test_web_servers import GUNICORN, UVICORN

pytestmark = pytest.mark.matrix

LOST = ("GET /nope", "GET /wp-login.php")


def spellings(methods, route, *others):
    """What people write for one route: parameters in each style, with and without methods, as a URL, as a pattern."""
    template, path = route
    names = re.findall(r"\{(\w+)\}", template)

    def written(style):
        return re.sub(r"\{(\w+)\}", lambda found: style.format(found[1]), template)

    regex = "^" + written(r"(?P<{}>[^/]+)").removeprefix("/") + "$"
    first = template[: template.index("{")]
    return [
        *map(written, ("<{}>", "<str:{}>", "{{{}}}", "{{{}:path}}", ":{}", "{{}}")),
        written("<{}>").removeprefix("/"),
        template.replace(f"{{{names[0]}}}", "{another_name}"),
        regex,
        f"{methods[0]} {regex}",
        f"{methods[0]} {template}",
        f"{methods[0].lower()} {template}",
        f"{','.join(methods)} {written('<{}>')}",
        path,
        path.removeprefix("/"),
        f"{methods[0]} {path}",
        f"https://shop.example{path}?page=2#top",
        f"{first}*",
        f"{methods[0]} {first}*",
        f"re:^{first}",
        *others,
    ]


def function(module, name, *others):
    """What people write for a function: as Python and as other agents do."""
    return [
        *others,
        f"{module}.{name}",
        f"{module}:{name}",
        f"WebTransaction/Function/{module}:{name}",
        f"{module}.{name}*",
    ]


POSTS, TAGS = ("GET /posts/2013/a-post/",), ("GET /tags/a", "GET /tags/b", "DELETE /tags/a")
RULES = ("GET /tags/a/", "GET /tags/b/", "DELETE /tags/a/")
TAG_ROUTE = "/tags/{tag}"

#: The server, what it is asked for, and which of that each spelling means.
SITES = {
    "django": (
        [*GUNICORN, "--chdir", str(HERE.parent), "testsite.wsgi:application"],
        (*POSTS, "GET /old/2013/", "GET /app/a-slug/", "GET /decorated-page/", "DELETE /decorated-page/", *LOST),
        [
            (
                POSTS,
                spellings(
                    ["GET", "HEAD"],
                    ("/posts/{year}/{slug}/", "/posts/2013/a-post/"),
                    "/posts/<int:year>/<str:slug>/",
                    "post",
                    *function("testsite.views", "decorated", "decorated"),
                ),
            ),
            (("GET /old/2013/",), ["^old/(?P<year>[0-9]{4})/$", "/old/<year>/", "/old/2013/", "old"]),
            (("GET /app/a-slug/",), ["app/<slug:slug>/", "outer:detail", "/app/anything/"]),
            (
                ("GET /decorated-page/", "DELETE /decorated-page/"),
                ["/decorated-page/", *function("testsite.views", "DecoratedPage", "DecoratedPage")],
            ),
            (
                ("GET /decorated-page/",),
                [
                    "GET /decorated-page/",
                    "DecoratedPage.get",
                    "WebTransaction/Function/testsite.views:DecoratedPage.get",
                ],
            ),
        ],
    ),
    "flask": (
        [*GUNICORN, "flaskapp:app"],
        (*RULES, "GET /shop/inner/x", "GET /pages/3", *LOST, "GET /tags/a"),
        [
            (
                RULES,
                [
                    word
                    for word in spellings(
                        ["GET", "DELETE"],
                        ("/tags/{tag}/", "/tags/x/"),
                        "tag_detail",
                        *function("flaskapp", "tag", "tag"),
                    )
                    if not word.lower().startswith("get ")
                ],
            ),
            (
                RULES[:2],
                ["GET /tags/<tag>/", "get /tags/{tag}/", "GET,PUT tags/<tag>/", "GET tag_detail", "GET /tags/x/"],
            ),
            (
                ("GET /shop/inner/x",),
                ["/shop/inner/<name>", "shop.inner.named", *function("flaskapp", "named", "named"), "*/inner/*"],
            ),
            (
                ("GET /pages/3",),
                ["/pages/<int:number>", "page", "Page.get", "GET /pages/7", *function("flaskapp", "Page", "Page")],
            ),
        ],
    ),
    "starlette": (
        [*UVICORN, "starletteapp:app"],
        (*TAGS, "GET /users/me/posts/7", "GET /page", *LOST, "GET /tags/a/"),
        [
            (
                TAGS,
                [
                    "tag",
                    "/tags/{tag}",
                    "/tags/<tag>",
                    "tags/{tag:str}",
                    "/tags/:tag",
                    "/tags/x",
                    "/tags/{*",
                    "re:^/tags",
                ],
            ),
            (TAGS[:2], ["GET /tags/{tag}", "get /tags/<tag>", "GET,PUT /tags/:tag", "GET tag", "GET /tags/x"]),
            (
                ("GET /users/me/posts/7",),
                spellings(["GET", "HEAD"], ("/users/{user}/posts/{post}", "/users/you/posts/8"), "users:post"),
            ),
            (("GET /page",), ["/page", "page", "Page.get", "GET /page", *function("starletteapp", "Page", "Page")]),
        ],
    ),
    "fastapi": (
        [*UVICORN, "fastapiapp:app"],
        (*TAGS, "GET /v1/outer/with-this/inner/x", "GET /below/users/me", *LOST, "GET /tags/a/"),
        [
            (TAGS, ["/tags/{tag}", "tag_detail", *function("fastapiapp", "tag"), "/tags/x", "/tags/{*"]),
            (TAGS[:2], ["GET /tags/{tag}", "get /tags/<tag>", "GET tag_detail", "GET fastapiapp:tag", "GET /tags/x"]),
            (
                ("GET /v1/outer/with-this/inner/x",),
                [
                    "/v1/outer/with-{kind}/inner/{name}",
                    "/v1/outer/with-<kind>/inner/<name>",
                    "/v1/outer/with-that/inner/y",
                    "GET /v1/outer/with-{}/inner/{}",
                    "*/inner/*",
                    *function("fastapiapp", "named"),
                ],
            ),
            (
                ("GET /below/users/me",),
                spellings(
                    ["GET", "HEAD"],
                    ("/below/users/{user}", "/below/users/you"),
                    "below:user",
                    *function("fastapiapp", "user", "user"),
                ),
            ),
        ],
    ),
}


def recorded(served, spelling, file, work):
    """What a session on this name has recorded."""
    report = served.record(spelling, file, work, workers=None)
    assert report["requests"]["matched"] == report["requests"]["traced"] == len(report["traces"]), spelling
    return [trace["attributes"] for trace in report["traces"]]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("framework", SITES)
def test_web(serve, tmp_path, framework):
    argv, asked, meant = SITES[framework]
    served = serve(argv)
    lost = [request for request in asked if request not in {each for requests, _ in meant for each in requests}]
    meant = [*meant, (tuple(lost), ["404", "GET 404", "(not found)"]), (asked, ["*", "re:."])]

    def ask():
        for request in asked:
            method, path = request.split()
            served.ask(path, method)

    for requests, words in meant:
        for spelling in words:
            seen = recorded(served, spelling, tmp_path / "s.xr", ask)
            assert sorted(f"{each['method']} {each['path']}" for each in seen) == sorted(requests), spelling


@pytest.mark.parametrize("framework", SITES)
def test_a_web_name_that_nobody_knows_is_refused_with_the_nearest(serve, framework):
    argv, *_ = SITES[framework]
    served = serve(argv)
    served.wait_for_agent()
    misspelt = {"django": "/post/<year>/<slug>/", "flask": "/tag/<tag>/"}.get(framework, "/tag/{tag}")
    nearest = {"django": "/posts/<int:year>/<str:slug>/", "flask": "/tags/<tag>/"}.get(framework, "/tags/{tag}")
    done = served.run("session", "start", "--app", served.app, "--transaction", misspelt, "--detach")
    assert (done.returncode, nearest in done.stderr) == (3, True), done.stderr


TASKS = {
    # First: it never ran when the first session on it starts.
    "given.name": [
        "given.name",
        "celery:given.name",
        "run/given.name",
        "OtherTransaction/Celery/given.name",
        "given.*",
        "re:^given",
    ],
    "celeryapp.squares": [
        "celeryapp.squares",
        "celeryapp:squares",
        "celery:celeryapp.squares",
        "run/celeryapp.squares",
        "OtherTransaction/Celery/celeryapp.squares",
        "celeryapp.squ*",
        "*.squares",
        "re:squares$",
    ],
}


def test_celery(processes, tmp_path, environment, redis_server):
    address = f"redis+socket://{redis_server.socket}?virtual_host=3"
    environment = {**environment, "SUMS_BROKER": address, "SUMS_BACKEND": address, "PYTHONPATH": str(HERE)}
    log = tmp_path / "log"
    worker = [
        "celery",
        "--app",
        "celeryapp",
        "worker",
        "--pool",
        "threads",
        "--concurrency",
        "1",
        "--loglevel",
        "warning",
    ]
    run = [sys.executable, "-m"]
    process = processes.start([*run, "xray", "run", "--app", "tasks", "--", *run, *worker], log, environment, tmp_path)
    served = Served(process, 0, log, "tasks", environment)
    client = Celery("client", broker=address, backend=address)

    def send(*names):
        for name in names or TASKS:
            args = [3] if name == "celeryapp.squares" else []
            client.send_task(name, args=args).get(timeout=60, propagate=False)

    send("celeryapp.squares")  # starts the agent
    for task, words in TASKS.items():
        for spelling in words:
            seen = recorded(served, spelling, tmp_path / "s.xr", send)
            assert [each["name"] for each in seen] == [task], spelling
    served.xray("session", "start", "--app", "tasks", "--transaction", "celeryapp.cubes", "--detach", code=3)


PROGRAM = """
import sys
import xray

xray.install()


@xray.transaction("jobs.sync:run")
def sync():
    pass


@xray.transaction("nightly import", kind="background")
def import_all():
    pass


for line in sys.stdin:
    sync()
    import_all()
    print(flush=True)
"""
BLOCKS = {
    "jobs.sync:run": ["jobs.sync:run", "jobs.sync.run", "OtherTransaction/Function/jobs.sync:run", "jobs.*", "re:run$"],
    "nightly import": ["nightly import", "  nightly import ", "nightly*", "re:^nightly"],
}


def test_plain_functions_and_blocks(processes, tmp_path, environment):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment["XRAY_APP"] = "plain"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, program], env=environment, **pipes) as process:

        def work():
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "\n"

        log = tmp_path / "log"
        log.touch()
        served = Served(process, 0, log, "plain", environment)
        work()
        for name, words in BLOCKS.items():
            for spelling in words:
                seen = recorded(served, spelling, tmp_path / "s.xr", work)
                assert [each["name"] for each in seen] == [name], (spelling, seen)
        process.stdin.close()
        assert process.wait(60) == 0

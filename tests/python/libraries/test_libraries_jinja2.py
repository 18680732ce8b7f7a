"""Jinja2: files and blocks as segments, and rendering that stays as lazy as it was."""

import asyncio
import gc

import jinja2
from tracebacks import own_frames

TEMPLATES = {
    "base.html": "<title>{% block title %}base{% endblock %}</title>{% block content %}{% endblock %}",
    "page.html": '{% extends "base.html" %}{% block title %}page{% endblock %}'
    '{% block content %}{% for n in numbers %}{% include "item.html" %}{% endfor %}{% endblock %}',
    "item.html": "<li>{{ n }}",
    "fails.html": "{% block content %}{{ nothing.at.all }}{% endblock %}",
}


def environment(**options):
    return jinja2.Environment(loader=jinja2.DictLoader(TEMPLATES), **options)


PAGE = "<title>page</title><li>0<li>1<li>2"


def test_files_and_blocks(trace):
    made = environment()
    traced = trace(lambda: made.get_template("page.html").render(numbers=range(3)))
    assert traced.result == PAGE
    assert dict(traced.segments("template")) == {
        "Render/page.html": 1,
        "Render/base.html": 1,
        "Block/title": 1,
        "Block/content": 1,
        "Render/item.html": 3,
    }
    assert [name for name in traced.path(traced.node("Render/item.html")) if "/" in name] == [
        "Render/page.html",
        "Render/base.html",
        "Block/content",
        "Render/item.html",
    ]


def test_rendering_stays_lazy(trace):
    made = environment()
    asked = []

    def numbers():
        for number in range(3):
            asked.append(number)
            yield number

    def work():
        stream = made.get_template("page.html").generate(numbers=numbers())
        before = list(asked)
        pieces = [next(stream) for _ in range(5)]
        between = list(asked)
        return before, between, "".join(pieces) + "".join(stream)

    traced = trace(work)
    before, between, page = traced.result
    assert before == [] and len(between) < 3
    assert page == PAGE
    assert dict(traced.segments("template"))["Render/item.html"] == 3


def test_on_an_event_loop(trace):
    made = environment(enable_async=True)

    async def main():
        template = made.get_template("page.html")
        pieces = [piece async for piece in template.generate_async(numbers=range(3))]
        return await template.render_async(numbers=range(3)), "".join(pieces)

    traced = trace(lambda: asyncio.run(main()))
    assert traced.result == (PAGE, PAGE)
    assert dict(traced.segments("template"))["Render/item.html"] == 6


def test_an_error_passes_through(trace):
    def failing():
        return environment(undefined=jinja2.StrictUndefined).get_template("fails.html").render()

    traced = trace(failing)
    assert isinstance(traced.result, jinja2.UndefinedError)
    assert own_frames(traced.result) == []
    assert {node.name: node.errors for node in traced.nodes("template")} == {"Render/fails.html": 1, "Block/content": 1}
    assert isinstance(trace(lambda: environment().from_string("{% nonsense %}")).result, jinja2.TemplateSyntaxError)


def test_templates_without_a_name_and_those_that_are_gone(trace):
    made = environment(cache_size=0)

    def work():
        for number in range(100):
            made.from_string("{{ n }}" * number).render(n=1)
            gc.collect(0)
        return made.from_string("last").render()

    traced = trace(work)
    assert traced.result == "last"
    assert traced.segments("template") == [("Render/<string>", 101)]


def test_functions_are_left_alone():
    template = environment().get_template("base.html")
    assert type(template.root_render_func).__name__ == "function"
    assert template.root_render_func.__name__ == "root"
    assert jinja2.Template._from_namespace.__name__ == "_from_namespace"

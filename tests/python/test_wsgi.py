"""Any WSGI application: ``xray.wsgi``."""

import io
import sys

import pytest
from tracebacks import own_frames
from wsgi_client import FileWrapper, call, environ

import xray


@pytest.fixture
def wrap(recorder, monkeypatch):
    """``xray.wsgi`` in a process without Django: names come first."""

    def wrap(app, name=None):
        wrapped = xray.wsgi(app, name)
        wrapped._xray_named_inside = False
        return wrapped

    return wrap


def listed(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"one", b"two"]


def test_a_list_is_passed_on_and_ends_the_transaction(wrap, recorder):
    response = call(wrap(listed))
    assert (response.body_type, response.body) == (list, b"onetwo")
    assert (recorder.only.status, recorder.only.ended) == (200, True)


def test_the_name_is_that_of_the_application(wrap, recorder):
    call(wrap(listed), "/some/path", "POST", query="secret=1")
    assert recorder.only.names == ["test_wsgi:listed"]
    assert recorder.only.attributes == {"method": "POST", "path": "/some/path"}


def test_a_name_may_be_given_or_set_inside(wrap, recorder):
    def app(environ, start_response):
        xray.set_transaction_name("inside")
        return listed(environ, start_response)

    call(wrap(app, "outside"))
    assert recorder.only.names == ["outside", "inside"]


def test_an_object_is_named_by_its_class_and_keeps_its_attributes(wrap, recorder):
    class App:
        config = {"a": 1}

        def __call__(self, environ, start_response):
            return listed(environ, start_response)

    app = wrap(App())
    call(app)
    assert recorder.only.names[0].endswith("App")
    assert app.config == {"a": 1}
    assert not hasattr(app, "nothing")


def test_where_django_is_loaded_a_name_waits_for_it(recorder, monkeypatch):
    monkeypatch.setitem(sys.modules, "django.core.handlers.wsgi", sys)
    app = xray.wsgi(listed)
    seen = []

    def spy(environ, start_response):
        seen.append(list(recorder.transactions[-1].names))
        return listed(environ, start_response)

    app = xray.wsgi(spy, "spy")
    call(app)
    call(app)
    # Nothing inside names it: from the second request on the name is there before the application runs.
    assert seen == [[], ["spy"]]
    assert [transaction.names for transaction in recorder.transactions] == [["spy"], ["spy"]]


def test_a_generator_ends_when_it_is_closed(wrap, recorder):
    closed = []

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    body = wrap(app)(environ(), lambda status, headers: None)
    iterator = iter(body)
    assert next(iterator) == b"one"
    assert not recorder.only.ended
    body.close()
    assert closed == [True]
    assert recorder.only.ended
    assert call(wrap(app)).body == b"onetwo"


def test_an_iterable_without_close_ends_with_its_last_item(wrap, recorder):
    def app(environ, start_response):
        start_response("200 OK", [])
        return map(bytes.upper, [b"a", b"b"])

    response = call(wrap(app), close=False)
    assert response.body == b"AB"
    assert recorder.only.ended


def test_files_keep_the_type_that_servers_look_for(wrap, recorder):
    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"file"), 2)

    body = wrap(app)(environ(file_wrapper=FileWrapper), lambda status, headers: None)
    assert type(body) is FileWrapper
    assert not recorder.only.ended
    file = body.filelike
    body.close()
    assert file.closed
    assert recorder.only.ended


def test_a_file_of_a_server_in_c_is_passed_on(wrap, recorder):
    of_server = memoryview(b"file")

    def app(environ, start_response):
        start_response("200 OK", [])
        return of_server

    assert wrap(app)(environ(file_wrapper=lambda file: of_server), lambda status, headers: None) is of_server
    assert recorder.only.ended


def test_a_file_wrapper_that_is_a_function_leaves_generators_alone(wrap, recorder):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"

    assert call(wrap(app), file_wrapper=lambda file: file).body == b"one"
    assert recorder.only.ended


def failing(environ, start_response):
    raise LookupError("a secret")


def failing_late(environ, start_response):
    start_response("200 OK", [])
    yield b"one"
    raise LookupError("a secret")


@pytest.mark.parametrize("app", [failing, failing_late])
def test_an_exception_passes_with_its_own_traceback(wrap, recorder, app):
    with pytest.raises(LookupError) as raised:
        call(wrap(app))
    assert raised.traceback[-1].name == app.__name__
    assert own_frames(raised.value) == []
    assert (recorder.only.error, recorder.only.ended) == ("builtins.LookupError", True)


def test_an_error_that_the_application_answers_itself(wrap, recorder):
    def app(environ, start_response):
        try:
            raise LookupError("a secret")
        except LookupError:
            start_response("500 Oh", [], sys.exc_info())
        return [b"sorry"]

    response = call(wrap(app))
    assert response.exc_info[0] is LookupError
    assert (recorder.only.status, recorder.only.error) == (500, "builtins.LookupError")


def test_exc_info_by_name_and_the_write_callable(wrap, recorder):
    def app(environ, start_response):
        write = start_response("200 OK", [], exc_info=None)
        write(b"written ")
        return [b"and returned"]

    assert call(wrap(app)).body == b"written and returned"


def test_what_the_server_refuses_is_refused(wrap, recorder):
    def refuses(status, headers):
        raise AssertionError("headers already sent")

    with pytest.raises(AssertionError):
        wrap(listed)(environ(), refuses)
    assert recorder.only.ended


def test_nested_applications_begin_one_transaction(wrap, recorder):
    inner = wrap(listed)
    outer = wrap(lambda environ, start_response: inner(environ, start_response), "outer")
    assert call(outer).body == b"onetwo"
    assert recorder.only.names == ["outer"]


def test_a_request_after_one_that_was_not_closed_is_its_own(wrap, recorder):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"

    app = wrap(app)
    kept = app(environ(), lambda status, headers: None)
    next(iter(kept))
    call(app)
    assert [(t.ended, t.abandoned) for t in recorder.transactions] == [(True, True), (True, False)]


def test_a_server_that_sends_everything_and_forgets_to_close(wrap, recorder):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"

    assert call(wrap(app), close=False).body == b"one"
    assert (recorder.only.ended, recorder.only.abandoned) == (True, False)


def test_a_status_that_is_none_is_for_the_server_to_refuse(wrap, recorder):
    def app(environ, start_response):
        start_response("what", [])
        return []

    assert call(wrap(app)).status == "what"
    assert recorder.only.status is None


def test_nothing_is_done_while_the_agent_is_off(wrap, recorder):
    recorder.is_off = True
    assert call(wrap(listed)).body_type is list
    with pytest.raises(LookupError) as raised:
        call(wrap(failing))
    assert own_frames(raised.value) == []


def test_wsgiref_serves_a_wrapped_application(recorder):
    from wsgiref.simple_server import WSGIServer

    xray.install()
    server = WSGIServer.__new__(WSGIServer)
    server.set_app(listed)
    assert call(server.get_app()).body == b"onetwo"
    assert server.get_app() is server.get_app()
    assert len(recorder.transactions) == 1
    server.set_app(None)
    assert server.get_app() is None


def test_wsgiref_leaves_djangos_handler_alone(site):
    from wsgiref.simple_server import WSGIServer

    server = WSGIServer.__new__(WSGIServer)
    server.set_app(site)
    assert server.get_app() is site

"""Requests as servers begin them, one inside and one after another, and their names."""


def test_a_request_inside_the_call_that_answers_one_is_part_of_it(host):
    host.run(
        """
        import contextvars
        from host import xray
        from xray import _xray

        def ask():
            inner = _xray.begin_request()
            assert inner is None and _xray.current_request() is outer

        outer = _xray.begin_request()
        assert _xray.current_request() is outer and _xray.current() is outer
        ask()
        copied = contextvars.copy_context()
        copied.run(ask)
        with xray.transaction("block"):
            assert _xray.current() is not outer
            ask()
        outer.returned()
        # The body is being sent: no request of this context any more, and in its copies.
        assert _xray.current_request() is None and copied.run(_xray.current_request) is None
        assert _xray.current() is outer
        outer.end()
        assert _xray.current() is None
        """
    )


def test_a_request_ends_what_its_context_has_left_open_but_not_what_is_marked(host):
    host.run(
        """
        from host import xray
        from xray import _xray

        with xray.transaction("block", kind="web"):
            block = _xray.current()
            left = _xray.begin_request()
            left.returned()
            next_one = _xray.begin_request()
            assert left.ended and not block.ended and not next_one.ended
            next_one.end()
            assert _xray.current() is block
        assert block.ended
        """
    )


def test_the_name_that_the_application_gives_is_the_last(host):
    host.run(
        """
        import json, subprocess, sys
        from host import xray
        from xray import _xray

        def request(own=None):
            transaction = _xray.begin_request()
            transaction.set_name("by the server")
            number = transaction.set_route("GET", "orders/<int:pk>/", "shop.views.order", None, "/orders/7/")
            if own:
                xray.set_transaction_name(own)
            return transaction, number

        first, number = request()
        assert first.set_known(number)
        first.end()
        for _ in range(2):
            second, number = request("own name")
            assert second.set_known(number)
            second.set_route("GET", "other/", None, None, "/other/")
            second.end()
        third = _xray.begin_request()
        assert not third.set_known(2**31)  # no name has this number
        third.end()
        asked = subprocess.run(
            [sys.executable, "-m", "xray", "transactions", "--json"], capture_output=True, text=True, check=True
        )
        counts = {row["name"]: row["count"] for row in json.loads(asked.stdout)["transactions"]}
        assert counts == {"(not found)": 1, "/orders/<int:pk>/": 1, "own name": 2}, counts
        """
    )

"""The budget: a quiet process traces every request, a busy one as many as it may."""

PROGRAM = """
import time
import host, xray
host.request()

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def request():
    with xray.transaction("work"):
        fib(15)
"""


def test_at_one_request_a_second_every_one_is_traced(host):
    host.run(
        PROGRAM
        + """
with xray.start_session("work", seconds=60, share=1.0, path="a.xr") as session:
    for _ in range(7):
        request()
        time.sleep(1)
report = session.wait()
assert (report.requests.traced, report.requests.control) == (7, 0), report.requests
assert report.to_dict()["decisions"] == [], report.to_dict()["decisions"]
"""
    )


def test_a_saturated_process_traces_less_until_the_budget_holds(host):
    # CPU-bound and nothing but calls: traced, each costs a multiple. These are CPU times: a busy machine changes none.
    host.run(
        PROGRAM
        + """
with xray.start_session("work", seconds=60, share=1.0, path="a.xr") as session:
    end = time.process_time() + 14
    while time.process_time() < end: request()
    overhead = session.progress.overhead
report = session.wait()
decisions = report.to_dict()["decisions"]
shares = [d["to"] for d in decisions if d["what"] == "traced_share"]
assert shares and shares[0] == 0.5 and min(shares) < 0.2, decisions
assert all("overhead" in d["because"] for d in decisions if d["to"] < d["from"]), decisions
assert overhead < 0.08, (overhead, decisions)
assert report.requests.control > report.requests.traced > 0, report.requests
""",
        seconds=90,
    )

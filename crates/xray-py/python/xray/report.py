"""Reports: what :func:`xray.open` and :meth:`xray.Session.wait` give."""

from __future__ import annotations

import functools
import json
import os
from typing import Any, Literal

from xray import _xray, model
from xray._decode import decode


class Trace:
    """One kept trace. Its calls are read from the file when they are first asked for."""

    def __init__(self, native: _xray.Report, summary: model.TraceSummary) -> None:
        self._native = native
        #: What is known without the calls.
        self.summary = summary

    def __repr__(self) -> str:
        return f"<xray.Trace {self.id}: {self.duration_ns / 1e6:.3f} ms, {self.summary.calls} calls>"

    @property
    def id(self) -> str:
        """Its identity, as ``xray report --trace`` takes it."""
        return self.summary.id

    @property
    def duration_ns(self) -> int:
        """Wall time of the transaction."""
        return self.summary.duration_ns

    @property
    def nodes(self) -> tuple[model.TraceNode, ...]:
        """The exact call tree in preorder; the first node is the transaction."""
        return self.detail.nodes

    @property
    def timeline(self) -> tuple[model.TimelineEntry, ...]:
        """The calls that took longest, in order of their starts."""
        return self.detail.timeline

    @property
    def samples(self) -> model.TraceSamples:
        """What the sampler saw of it: the lines that ran, estimated."""
        return self.detail.samples

    @functools.cached_property
    def detail(self) -> model.TraceDetail:
        """All there is of the trace."""
        text = self._native.trace_json(self.id)
        if text is None:
            raise KeyError(self.id)
        return decode(model.TraceDetail, json.loads(text)["trace"])


class Latency:
    """Latency of the matching transactions; ``control`` were not traced, so tracing did not slow them."""

    def __init__(self, native: _xray.Report, data: dict[str, Any]) -> None:
        self._native = native
        self.traced = decode(model.LatencySummary, data["traced"])
        self.control = decode(model.LatencySummary, data["control"])
        self.all = decode(model.LatencySummary, data["all"])

    def percentile(self, percentile: float, arm: Literal["all", "traced", "control"] = "all") -> int | None:
        """Latency in nanoseconds that ``percentile`` % of the transactions stay below; None when there are none."""
        if not 0 <= percentile <= 100:
            raise ValueError(f"a percentile is 0 to 100, not {percentile}")
        return self._native.percentile(arm, percentile)


class Report:
    """A finished session."""

    def __init__(self, native: _xray.Report) -> None:
        self._native = native

    def __repr__(self) -> str:
        return f"<xray.Report of {self.session.target.given!r}, {self.requests.matched} requests>"

    @functools.cached_property
    def _data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self._native.json())
        return data

    @property
    def recovered(self) -> bool:
        """True when the file was damaged or cut, and this is what could be read."""
        return bool(self._data["recovered"])

    @functools.cached_property
    def verdict(self) -> model.Verdict:
        """The answer in words."""
        return decode(model.Verdict, self._data["verdict"])

    @functools.cached_property
    def session(self) -> model.SessionInfo:
        """Target, limits, times and processes."""
        return decode(model.SessionInfo, self._data["session"])

    @functools.cached_property
    def requests(self) -> model.Requests:
        """Counts of transactions."""
        return decode(model.Requests, self._data["requests"])

    @functools.cached_property
    def latency(self) -> Latency:
        """Latency, exactly counted in histograms."""
        return Latency(self._native, self._data["latency"])

    @functools.cached_property
    def tracing_cost(self) -> model.TracingCost:
        """What tracing cost, by comparison of traced transactions with those that were only timed."""
        return decode(model.TracingCost, self._data["tracing_cost"])

    @functools.cached_property
    def components(self) -> tuple[model.Component, ...]:
        """Functions and segments by their own time, slowest first; the last one is the remainder."""
        return tuple(decode(model.Component, item) for item in self._data["components"])

    @functools.cached_property
    def traces(self) -> tuple[Trace, ...]:
        """The kept traces, slowest first."""
        return tuple(Trace(self._native, decode(model.TraceSummary, item)) for item in self._data["traces"])

    @functools.cached_property
    def samples(self) -> model.Samples:
        """What the sampler did."""
        return decode(model.Samples, self._data["samples"])

    @functools.cached_property
    def waits(self) -> tuple[model.Wait, ...]:
        """What the sampled threads waited for, longest first."""
        return tuple(decode(model.Wait, item) for item in self._data["waits"])

    @functools.cached_property
    def sample_tree(self) -> model.Tree:
        """The stack samples of all threads."""
        return self._tree("samples")

    @functools.cached_property
    def call_tree(self) -> model.Tree:
        """The calls of all traced transactions."""
        return self._tree("calls")

    def _tree(self, source: str) -> model.Tree:
        return decode(model.Tree, json.loads(self._native.tree_json(source)))

    @functools.cached_property
    def series(self) -> tuple[model.Second, ...]:
        """The session by seconds."""
        return tuple(decode(model.Second, item) for item in self._data["series"])

    @functools.cached_property
    def loss(self) -> tuple[model.Loss, ...]:
        """What bounds cut; empty when nothing is missing."""
        return tuple(decode(model.Loss, item) for item in self._data["loss"])

    @functools.cached_property
    def decisions(self) -> tuple[model.Decision, ...]:
        """Changes that the overhead budget made."""
        return tuple(decode(model.Decision, {**item, "from_": item["from"]}) for item in self._data["decisions"])

    @functools.cached_property
    def notes(self) -> tuple[model.Note, ...]:
        """Sentences for the reader."""
        return tuple(decode(model.Note, item) for item in self._data["notes"])

    def to_dict(self) -> dict[str, Any]:
        """The report as ``xray report --format json`` prints it; a new object each time."""
        data: dict[str, Any] = json.loads(self._native.json())
        return data

    def text(self, width: int = 100, *, color: bool = False) -> str:
        """The report as the terminal shows it."""
        return self._native.text(width, color)

    def html(self) -> str:
        """The report as one self-contained page."""
        return self._native.html()


def open(path: str | os.PathLike[str]) -> Report:
    """See :func:`xray.open`."""
    return Report(_xray.open_report(os.fsdecode(path)))

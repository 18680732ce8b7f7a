"""Whether a thread hears the interpreter's events, asked of the interpreter itself."""

import ctypes
import sys

#: Offset of `tracing` in PyThreadState (GIL builds, 64 bit).
_TRACING = {(3, 12): 44, (3, 13): 60, (3, 14): 60, (3, 15): 64}.get(sys.version_info[:2])
_state = ctypes.pythonapi.PyThreadState_Get
_state.restype = ctypes.c_void_p


def reasons_not_to_hear():
    """How many reasons the calling thread has to hear nothing; 0: it hears."""
    return ctypes.c_int.from_address(_state() + _TRACING).value


def heard(calls):
    """What a new tool hears of the calls of the functions in this thread."""
    monitoring, seen = sys.monitoring, []
    wanted = {call.__code__ for call in calls}
    monitoring.use_tool_id(0, "test")
    start = monitoring.events.PY_START
    monitoring.register_callback(0, start, lambda code, offset: seen.append(code.co_name) if code in wanted else None)
    monitoring.set_events(0, start)
    for call in calls:
        call()
    monitoring.set_events(0, 0)
    monitoring.register_callback(0, start, None)
    monitoring.free_tool_id(0)
    return seen

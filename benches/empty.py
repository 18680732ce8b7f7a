"""The least that hearing every call costs: the same events as xray's tracer asks for, and a callback that does nothing.

On 3.12 and newer a callable that calls a C function without a detour, as xray's is, is registered with
``sys.monitoring`` for xray's events. On 3.11 a frame evaluation function is put in place that only jumps to the
interpreter's own. Both are made with ctypes from what is in the interpreter: nothing must be compiled.
"""

import ctypes
import mmap
import platform
import sys

#: `METH_FASTCALL`
FASTCALL = 0x80
#: Where a builtin function's object has the address of the C function that its calls go to.
VECTORCALL = 48
EVENTS = ("PY_START", "PY_RESUME", "PY_THROW", "PY_RETURN", "PY_YIELD", "PY_UNWIND")
TOOL = 3

_kept: list[object] = []


class Method(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class EmptyCallback:
    """Hears what xray's tracer hears between :meth:`enable` and :meth:`disable`, and does nothing."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 12):
            self._callback = _gives_itself()
        else:
            self._hook = _jumps_to_default()

    def enable(self) -> None:
        if sys.version_info < (3, 12):
            _set_eval_frame(self._hook)
            return
        monitoring = sys.monitoring
        monitoring.use_tool_id(TOOL, "empty")
        mask = 0
        for name in EVENTS:
            event = getattr(monitoring.events, name)
            monitoring.register_callback(TOOL, event, self._callback)
            mask |= event
        monitoring.set_events(TOOL, mask)

    def disable(self) -> None:
        if sys.version_info < (3, 12):
            _set_eval_frame(_default_eval_frame())
            return
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)


def _gives_itself() -> object:
    """A builtin function whose call is ``PyObject_SelfIter``, which gives back its first argument: the callable."""
    function = ctypes.cast(ctypes.pythonapi.PyObject_SelfIter, ctypes.c_void_p)
    method = Method(b"empty", function, FASTCALL, None)
    _kept.append(method)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.POINTER(Method), ctypes.py_object, ctypes.c_void_p)
    made: object = make(ctypes.byref(method), None, None)
    ctypes.c_void_p.from_address(id(made) + VECTORCALL).value = function.value
    return made


def _default_eval_frame() -> int:
    return ctypes.cast(ctypes.pythonapi._PyEval_EvalFrameDefault, ctypes.c_void_p).value or 0


def _set_eval_frame(function: int) -> None:
    interpreter = ctypes.pythonapi.PyInterpreterState_Get
    interpreter.restype = ctypes.c_void_p
    put = ctypes.pythonapi._PyInterpreterState_SetEvalFrameFunc
    put.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    put(interpreter(), function)


def _jumps_to_default() -> int:
    """An evaluation function that is another one than the interpreter's own, and does the same."""
    if platform.machine() != "x86_64":
        raise NotImplementedError("the empty evaluation function is written for x86-64")
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # mov rax, address; jmp rax
    memory.write(b"\x48\xb8" + _default_eval_frame().to_bytes(8, "little") + b"\xff\xe0")
    _kept.append(memory)
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))

"""The frame evaluation hook of CPython 3.11, reached as another tool would: by its C functions."""

import ctypes

_Function = ctypes.c_void_p
_python = ctypes.pythonapi
_python.PyInterpreterState_Get.restype = ctypes.c_void_p
_python._PyInterpreterState_GetEvalFrameFunc.restype = _Function
_python._PyInterpreterState_GetEvalFrameFunc.argtypes = [ctypes.c_void_p]
_python._PyInterpreterState_SetEvalFrameFunc.restype = None
_python._PyInterpreterState_SetEvalFrameFunc.argtypes = [ctypes.c_void_p, _Function]

#: CPython's own evaluation function.
DEFAULT = ctypes.cast(_python._PyEval_EvalFrameDefault, _Function).value


def current():
    """Address of the function in place."""
    return _python._PyInterpreterState_GetEvalFrameFunc(_python.PyInterpreterState_Get()) or DEFAULT


def set_hook(address):
    """Puts another function in place."""
    _python._PyInterpreterState_SetEvalFrameFunc(_python.PyInterpreterState_Get(), address)


def machine_code_that_jumps_to_the_default():
    """A function of its own that does what the default does."""
    import mmap
    import struct

    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(b"\x48\xb8" + struct.pack("<Q", DEFAULT) + b"\xff\xe0")  # mov rax, DEFAULT; jmp rax
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    machine_code_that_jumps_to_the_default.memory = memory  # it must stay
    return address

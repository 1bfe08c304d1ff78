"""Code of the machine: compiled by numba once, kept on disk, and loaded without numba.

To import numba and to load what it keeps itself takes ten times as long as to load the code alone,
which needs nothing of numba or Python. It is kept beside Python's own compiled files or, where
nothing may be written there, in the user's folder of caches. Its name holds a digest of the files
that it comes from, of the processor and of the versions of what compiles it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import CFUNCTYPE, POINTER, byref, c_int32, c_int64, c_void_p
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from twin.common.files import cache_folder, own_file, whole
from twin.desk.compiled.columns import NUMBERS, Array

Machine = Callable[[Array], int]
# Where code was loaded that numba made, in the tests: code is of the format that its system has.
_LOADS = sys.platform == "linux"
# Files that the code comes from, or takes numbers from; the last one says how it is compiled.
SOURCES = (
    *(f"desk/compiled/{name}" for name in (
        "clocks", "coming", "columns", "crew", "feedback", "heap", "life", "lines", "machine",
        "ordering", "provider", "rows", "serving", "statuses", "stopping", "tables", "touches",
    )),
    "assistant/protocol", "desk/customers", "desk/provider", "desk/rows", "desk/statuses",
    "records/tables",
    "desk/compiled/code",
)  # fmt: skip
# A function as numba compiles it: where its result goes, an error, and its one argument.
_NATIVE = CFUNCTYPE(c_int32, POINTER(c_int64), POINTER(c_void_p), c_void_p)


@cache
def machine() -> Machine:
    """The function `machine.play`, of a row of `NUMBERS`; compiled where no code is kept."""
    if not _LOADS:
        return _by_numba()
    found = _kept()
    if found is None:
        found = _compiled()
        if found is None:
            return _by_numba()
        _keep(*found)
    return _loaded(*found)


def is_kept() -> bool:
    """True if there is code on disk, so that the machine need not be compiled."""
    return _LOADS and any(path.is_file() for path in _places())


def _kept() -> tuple[str, bytes] | None:
    """Name of the function and its code, where they are kept and whole."""
    for path in _places():
        with suppress(OSError, ValueError):
            digest, name, code = _read(path).split(b"\n", 2)
            if hashlib.sha256(name + code).hexdigest().encode() == digest:
                return name.decode(), code
    return None


def _read(path: Path) -> bytes:
    if path.parent != cache_folder():
        # Beside Python's own compiled files, which are run without a look at their owner, too.
        return path.read_bytes()
    with own_file(path) as file:
        return file.read()


def _keep(name: str, code: bytes) -> None:
    digest = hashlib.sha256(name.encode() + code).hexdigest()
    for path in _places():
        # Without room for it, it is compiled again next time.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path, private=True) as part:
                part.write_bytes(b"\n".join([digest.encode(), name.encode(), code]))
            return


def _places() -> Iterator[Path]:
    """Files in which the code may be kept, the first one first."""
    name = f"machine-{_digest()}.code"
    yield Path(cache_from_source(__file__)).parent / name
    users = cache_folder()
    if users is not None:
        yield users / name


@cache
def _digest() -> str:
    """Digest of all that the code comes from."""
    house = Path(__file__).parents[2]
    total = hashlib.sha256()
    for name in SOURCES:
        total.update((house / f"{name}.py").read_bytes())
    for package in ("numba", "llvmlite"):
        with suppress(PackageNotFoundError):
            total.update(f"{package} {version(package)}".encode())
    total.update(_processor().encode())
    return total.hexdigest()[:32]


def _processor() -> str:
    """The processor, which the code is made for."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = file.read().partition("\n\n")[0].splitlines()
    except OSError:
        return sys.platform
    told = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.partition(":")[0].strip() in told)


def _compiled() -> tuple[str, bytes] | None:
    """Compile the machine: the name of its function and its code.

    None where the code calls what is not in it, as numba's own functions, or where a version of
    numba has other inner parts than those used here.
    """
    with suppress(AttributeError, TypeError):
        return _native_code()
    return None


def _native_code() -> tuple[str, bytes] | None:
    from numba import njit
    from numba.np.numpy_support import from_dtype

    from twin.desk.compiled.machine import play

    # As numba's decorator does, without what Python would need to call it.
    options: Any = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: Any = njit(**options)(play)._compiler.compile((from_dtype(NUMBERS),), None)
    library = compiled.library
    name: str = compiled.fndesc.llvm_func_name
    library.get_pointer_to_function(name)
    module = library._final_module
    called = [one for one in (*module.functions, *module.global_variables) if one.is_declaration]
    # LLVM's own are of the system's library of mathematics.
    if not all(one.name.startswith("llvm.") for one in called):
        return None
    return name, library._get_compiled_object()


def _loaded(name: str, code: bytes) -> Machine:
    import llvmlite.binding as llvm

    with suppress(RuntimeError):
        # Newer versions do it themselves, and say so.
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    native = _NATIVE(engine.get_function_address(name))

    # With the engine the code would be gone.
    def play(numbers: Array, _: Any = engine) -> int:
        why = c_int64()
        error = c_void_p()
        failed = native(byref(why), byref(error), numbers.ctypes.data)
        assert not failed, "the machine raises nothing"
        return why.value

    return play


def _by_numba() -> Machine:
    """As numba compiles, keeps and calls it."""
    from numba import njit

    from twin.desk.compiled import machine as source
    from twin.desk.compiled.heap import compiled

    whole_machine = compiled(source.play)
    # numba looks whether this file has changed, and not those that it uses: so their digest is a
    # part of what is compiled.
    digest = int(_digest()[:8], 16)

    def play(d: Any) -> int:
        return whole_machine(d) if digest >= 0 else digest

    try:
        called = njit(cache=True, error_model="numpy")(play)
    except RuntimeError:
        # There is no folder to keep it in (`NUMBA_CACHE_DIR` names one).
        called = njit(error_model="numpy")(play)
    return lambda numbers: int(called(numbers[0]))

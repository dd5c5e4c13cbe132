"""How a thread waits for another for a moment without falling asleep."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler
from sigconv.engines.cpu.waiting import pause, read


def wait(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Look at a word until it is no longer ``old``, at most so many times; a change is let rest for ``after`` more."""

    def run(word, old, looks, after):
        while looks > 0:
            if read(word) != old:
                for _ in range(after):
                    pause()
                return
            pause()
            looks -= 1

    return "liii", run


compile_kernel = compiler({"wait": wait})

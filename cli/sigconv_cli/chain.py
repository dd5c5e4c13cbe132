"""One window after another as one filter, and the weights that stand in a file."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sigconv_cli import options

if TYPE_CHECKING:
    from sigconv.io.saved import Arrays

RANKING = ("median", "hampel")


class Chain:
    """Smoothers in a row, each fed what the one before gave."""

    def __init__(self, specs: Sequence[str], policies: dict[str, Any], channels: int, fills: bool = False) -> None:
        import numpy as np

        from sigconv import Smoother

        # "keep": what is missing in the file is missing for every window, as if each read the other's output. Beside
        # the file there is room for the estimate.
        treatments = ["keep"] * (len(specs) - 1) + ["omit" if fills else "keep"]
        self._stages = [
            Smoother(spec, channels=channels, nan_policy=treatment, **_fitting(spec, policies))
            for spec, treatment in zip(specs, treatments, strict=True)
        ]
        self._timed = [_needs_times(stage, np.empty((0, channels))) for stage in self._stages]

    @property
    def needs_times(self) -> bool:
        """Whether a window or a policy is a duration."""
        return any(self._timed)

    def __call__(self, values: Any, times: Any) -> Any:
        for stage, timed in zip(self._stages, self._timed, strict=True):
            values = stage.process(values, times if timed else None)
        return values

    def state(self) -> "Arrays":
        """Everything the next outputs depend on, as arrays."""
        from sigconv.io import saved

        return saved.flatten({str(k): stage.state() for k, stage in enumerate(self._stages)})

    def restore(self, state: "Arrays") -> None:
        """Go on where ``state`` was taken."""
        from sigconv import Smoother
        from sigconv.io import saved

        tree = saved.nest(state)
        self._stages = [Smoother.from_state(tree.get(str(k), {})) for k in range(len(self._stages))]


def spelled(specs: Sequence[str]) -> list[str]:
    """The windows, with the weights of files in the place of their names."""
    return [_read_weights(spec[1:]) if spec.startswith("@") else spec for spec in specs]


def builder(specs: Sequence[str], policies: dict[str, Any], fills: bool) -> tuple[Callable[[int], Chain], bool]:
    """What makes the filter for a number of columns, and whether it needs times; refuses what cannot work.

    Where it ``fills``, missing values get the estimate at their place.
    """
    trial = options.usage(Chain, specs, policies, 1, fills)
    return lambda channels: Chain(specs, policies, channels, fills), trial.needs_times


def _needs_times(stage: Any, nothing: Any) -> bool:
    try:
        stage.process(nothing)
    except ValueError:
        return True
    return False


def _fitting(spec: str, policies: dict[str, Any]) -> dict[str, Any]:
    """The policies that a stage can follow: a median and a Hampel filter rank samples, whatever the others weigh."""
    if spec.partition(":")[0].strip() not in RANKING:
        return policies
    return {**policies, "measure": "sample", "period": None}


def _read_weights(path: str) -> str:
    """The weights in a text file, as a window spells them: newest first, separated by commas, blanks or line ends."""
    with open(path, encoding="utf-8-sig") as file:
        weights = re.split(r"[\s,;]+", file.read().strip(" \t\r\n,;"))
    return ",".join(weights) + ("," if len(weights) == 1 else "")

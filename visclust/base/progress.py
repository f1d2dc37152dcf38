"""Bars of progress, and a line beforehand on work that takes minutes: one way for all functions.

The rule: what can take more than some seconds has ``progress=True``. Its bar appears once the work has taken
`DELAY` seconds, so that short work shows nothing, and ``progress=False`` turns it off.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from tqdm.auto import tqdm

DELAY = 1.0  # seconds
_MEASURED = 3.0  # seconds of work that tell how long the rest takes
_LONG = 60.0  # seconds; shorter work is not announced


class WorkBar(tqdm):
    """A bar that says after the first part of long work how many minutes the rest takes on this machine.

    `work` words it, such as "Embedding 18,096 images"; `bound` is "about", or "at most about" where later
    parts are quicker. Work that ends well is done, however much of the total it needed: the bar ends full.
    On an error it stays where it was, and a notebook draws it red.
    """

    def __init__(
        self, *args: Any, work: str = "", bound: str = "about", progress: bool = True, **options: Any
    ) -> None:
        self.total: float | None = None
        self._work, self._bound = work, bound
        self._started = time.perf_counter()
        super().__init__(*args, disable=not progress, delay=DELAY, **options)

    def update(self, n: float | None = 1) -> bool | None:
        """Count what is done."""
        shown = super().update(n)
        seconds = time.perf_counter() - self._started
        if self._work and not self.disable and seconds >= _MEASURED and self.n > self.initial:
            left = seconds / (self.n - self.initial) * ((self.total or 0) - self.n)
            if left > _LONG:
                self.write(f"{self._work} will take {self._bound} {left / 60:.0f} minutes on this machine.")
            self._work = ""
        return shown

    @contextmanager
    def ticking(self, every: float = DELAY) -> Iterator[None]:
        """Draw the bar again every so many seconds, with the time so far, while work without parts runs."""
        if self.disable:
            yield
            return
        ended = threading.Event()

        def draw() -> None:
            while not ended.wait(every):
                self.last_print_t = time.time()  # it was shown, and is to be cleared
                self.refresh()

        thread = threading.Thread(target=draw, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def finish(self) -> None:
        """Set the total to what was done, since nothing more comes."""
        if not self.disable and self.total is not None and self.n < self.total:
            self.total = self.n
            if (box := getattr(self, "container", None)) is not None:  # a notebook's, drawn by a slider
                box.children[1].max = self.n
            self.refresh()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        super().__exit__(kind, value, traceback)

"""A circuit breaker, without I/O: leaves what does not answer alone for a while, then tries it with one call."""


class Breaker:
    """Opens after `failures_max` failures in a row, for `open_s`; then one call is let through to try.

    One that fails opens it again, for `open_s` from then on. The first success closes it. Times are of one monotonic
    clock.
    """

    __slots__ = ("_failures", "_opened_s", "failures_max", "open_s")

    def __init__(self, *, failures_max: int, open_s: float) -> None:
        self.failures_max = failures_max
        self.open_s = open_s
        self._failures = 0
        self._opened_s = 0.0

    def lets(self, now_s: float) -> bool:
        """Whether to call; true for one caller each `open_s` while it is open."""
        if self._failures < self.failures_max:
            return True
        if now_s - self._opened_s < self.open_s:
            return False
        self._opened_s = now_s
        return True

    def is_open(self, now_s: float) -> bool:
        """The same question, asked without the right to be the one who tries."""
        return self._failures >= self.failures_max and now_s - self._opened_s < self.open_s

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, now_s: float) -> None:
        self._failures += 1
        if self._failures >= self.failures_max:
            self._opened_s = now_s

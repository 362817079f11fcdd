"""How many SQL statements one request may spend, and which ones it spent.

The gateway in `storage` reports every statement here. A request opens a ledger; statements sent by tasks
that it started are counted too, because they inherit its context. Outside of a ledger nothing is counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Spent(NamedTuple):
    """One statement as it was sent: its name in `queries.sql` and the time until its answer."""

    name: str
    elapsed_ms: float


class BudgetExceeded(RuntimeError):
    """A request wanted more statements than it was given: a fault of the program, never of the caller."""


class Ledger:
    """The statements of one request, in the order in which they were sent."""

    __slots__ = ("_sent", "expected_max", "spent", "statements_max")

    def __init__(self, statements_max: int | None, expected_max: int | None = None) -> None:
        self.statements_max = statements_max
        self.expected_max = expected_max
        self.spent: list[Spent] = []
        self._sent = 0

    @property
    def statements(self) -> int:
        return self._sent

    @property
    def elapsed_ms(self) -> float:
        return sum(one.elapsed_ms for one in self.spent)

    def reserve(self, name: str) -> None:
        """Count a statement before it is sent; raises `BudgetExceeded` when that is one too many."""
        if self.statements_max is not None and self._sent >= self.statements_max:
            before = ", ".join(one.name for one in self.spent) or "none answered yet"
            raise BudgetExceeded(f"statement {name} is over the budget of {self.statements_max}; before it: {before}")
        self._sent += 1

    def widen(self, expected_max: int) -> None:
        """The request turns out to be one that may spend more; where more is refused, that bound moves too."""
        self.expected_max = expected_max
        if self.statements_max is not None:
            self.statements_max = expected_max

    def begin_anew(self, sent: int) -> None:
        """Forget what was counted after `sent` statements: a transaction that PostgreSQL refused runs once more."""
        self._sent = sent

    def record(self, name: str, elapsed_ms: float) -> None:
        self.spent.append(Spent(name, elapsed_ms))


_ledger: ContextVar[Ledger | None] = ContextVar("ledger", default=None)


def current() -> Ledger | None:
    return _ledger.get()


@contextmanager
def open_ledger(*, statements_max: int | None = None, expected_max: int | None = None) -> Iterator[Ledger]:
    """Count the statements of the block; with `statements_max`, refuse to send more than that."""
    ledger = Ledger(statements_max, expected_max)
    token = _ledger.set(ledger)
    try:
        yield ledger
    finally:
        _ledger.reset(token)

"""The plug: an executor of the library that executes breadth-first. Only `execute_operation` is replaced; building,
coercion of variables, validation, introspection and subscriptions stay the library's.

    executor_class = plugged(planner)                                   # graphql.execute(..., executor_class=...)
    executor_class = plugged(planner, StrawberryGraphQLCoreExecutionContext)   # Schema(execution_context_class=...)

Whoever encodes answers asks the executor itself: `await executor.answer()` gives data that msgspec encodes as it is.
"""

from collections.abc import Awaitable
from typing import Any

import msgspec
from graphql import ExecutionResult, GraphQLError
from graphql.execution.incremental import IncrementalExecutor

from yotei.breadth.plan import Budget, Explained, Plan
from yotei.breadth.planner import Planner
from yotei.breadth.run import Run
from yotei.breadth.selection import AnyExecutor


class Answer(msgspec.Struct, frozen=True):
    """`data` is encoded by msgspec as it is; None with errors where nothing is left of it."""

    data: Any
    errors: tuple[GraphQLError, ...] = ()


class Breadth:
    """What is mixed into an executor class. `budget` refuses documents whose plan needs more."""

    planner: Planner
    budget: Budget | None = None

    @property
    def plan(self) -> Plan:
        """The plan, from memory where the document is known; raises GraphQLError where there is none."""
        return self.planner.plan(self)  # type: ignore[arg-type]

    def explain(self) -> Explained:
        """The plan for people, with the rows to expect."""
        return self.plan.explain(self)  # type: ignore[arg-type]

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The same as the library's: a result, or something to await when anything has to be awaited."""
        executor: AnyExecutor = self  # type: ignore[assignment]
        if self.planner.leaves_to_library(executor):
            return super().execute_operation(serially)  # type: ignore[misc]
        run = Run(self.planner, executor, structs=False)
        data = self._begin(run, serially)
        if not isinstance(data, Awaitable):
            return ExecutionResult(data, run.errors or None)

        async def result() -> ExecutionResult:
            return ExecutionResult(await data, run.errors or None)

        return result()

    async def answer(self) -> Answer:
        """The answer to be encoded: rows are Structs, and values are as the domain made them."""
        run = Run(self.planner, self, structs=True)  # type: ignore[arg-type]
        data = self._begin(run, None)
        if isinstance(data, Awaitable):
            data = await data
        return Answer(data, tuple(run.errors))

    def _begin(self, run: Run, serially: bool | None) -> Any:
        try:
            plan = self.planner.plan(run.executor, serially=serially)
            if self.budget is not None:
                plan.check(self.budget, run.executor)
        except GraphQLError as error:
            run.errors.append(error)
            return None
        return run.execute(plan)


def plugged(
    planner: Planner, onto: type[AnyExecutor] = IncrementalExecutor, *, budget: Budget | None = None
) -> type[Any]:
    """An executor class that executes breadth-first, on top of `onto`."""
    return type("BreadthExecutor", (Breadth, onto), {"planner": planner, "budget": budget})

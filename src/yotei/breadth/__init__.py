"""GraphQL execution, breadth-first, in a number of statements that is known beforehand.

It knows no domain and no HTTP, and of Strawberry only that it is built on graphql-core.

    vocabulary  how the owner of a schema says where each field comes from
    planner     a schema with its vocabulary, checked when it is built; makes and keeps plans
    check       what is refused when a schema is built
    selection   the fields of a document, compiled                          (GraphQL October 2021, 6.3)
    plan        loads merged and put into levels; statements; the plan as text
    frames      what an execution holds, and how rows are made of columns
    run         one execution, level by level, column by column             (6.2, 6.4)
    columns     the coercion of a column of leaves                          (3.5, 3.9)
    settle      the answer where something failed                           (6.4.4)
    executor    the plug into graphql-core and what is built on it
"""

from yotei.breadth.executor import Answer, plugged
from yotei.breadth.plan import Budget, Explained, OverBudget, Plan
from yotei.breadth.planner import Planner, Unplannable
from yotei.breadth.vocabulary import (
    Attribute,
    Brought,
    Carrier,
    Field,
    Load,
    Loaded,
    Pure,
    Resolved,
    Vocabulary,
)

__all__ = [
    "Answer",
    "Attribute",
    "Brought",
    "Budget",
    "Carrier",
    "Explained",
    "Field",
    "Load",
    "Loaded",
    "OverBudget",
    "Plan",
    "Planner",
    "Pure",
    "Resolved",
    "Unplannable",
    "Vocabulary",
    "plugged",
]

"""Made-up people, calendars, rooms and events: for the first run, for benchmarks, and the same every time.

Owns what the data looks like (`plan`, `directory`, `batch`) and how it gets in fast (`load`). The numbers behind the
distributions are in `docs/adr/0007-bulk-load.md`. It does not know the domains' rules beyond the schema, and it makes
no tokens and no personal calendars.
"""

from yotei.seed.directory import ADMIN_EMAIL, DEMO_EMAIL
from yotei.seed.load import Progress, Summary, load
from yotei.seed.plan import SeedError, SeedPlan

__all__ = ["ADMIN_EMAIL", "DEMO_EMAIL", "Progress", "SeedError", "SeedPlan", "Summary", "load"]

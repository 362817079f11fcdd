"""The composition root: settings -> database, doors -> one ASGI application. Nothing else knows every room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp

from yotei import __version__, settings
from yotei.api import auth, pages_routes, rest
from yotei.api.graphql import door as graphql_door
from yotei.api.observed import observed
from yotei.api.ops import health
from yotei.api.problems import answer_problem
from yotei.api.proxies import behind_proxies
from yotei.api.rate import Buckets, rate_limited
from yotei.observe import log
from yotei.settings import Settings
from yotei.storage import maintenance
from yotei.storage.pool import Database, pool_size_default

OPENAPI_PATH: Final = "/openapi.json"


def application() -> ASGIApp:
    """What the server loads: the application with the settings in force."""
    return build(settings.load())


def build(config: Settings) -> ASGIApp:
    """The whole stack, outermost first: proxies, observation, rate limit, then the doors."""
    log.configure(format=config.log.format, level=config.log.level)
    app: ASGIApp = _doors(config)
    app = rate_limited(app, Buckets(rate_per_s=config.limits.rate_per_s, burst=config.limits.rate_burst))
    app = observed(app, statements_max=config.limits.statements_max, strict=config.limits.strict_statements)
    return behind_proxies(app, config.server.trusted_proxies)

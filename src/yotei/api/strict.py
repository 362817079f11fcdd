"""What the framework would let pass: query parameters that no route knows or that come twice, bodies that are not JSON,
and values in them of another type than is described. A mistyped filter must not silently give everything.
"""

import re
from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, QueryParameter

from yotei.errors import Code, Fault, Problem

PREFIX: Final = "/api/"
_NOT_FROM_THE_QUERY: Final = frozenset({"request", "state", "data"})


async def strict(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard of every route below `/api/`: Problem `invalid_request` or `unsupported_media_type`.

    It waits for nothing: the framework would run it in a thread otherwise.
    """
    if not connection.scope["path"].startswith(PREFIX):
        return
    known = _query_names(handler)
    unknown = sorted(set(connection.query_params) - known)
    if unknown:
        expected = f"expected some of {', '.join(sorted(known))}" if known else "this takes no parameters"
        faults = tuple(Fault(f"query.{name}", f"there is no such parameter; {expected}") for name in unknown)
        raise Problem(Code.INVALID_REQUEST, f"query.{unknown[0]}: {faults[0].detail}", faults=faults)
    again = sorted(name for name, values in connection.query_params.dict().items() if len(values) > 1)
    if again:
        # The framework would take one of them and drop the others.
        faults = tuple(Fault(f"query.{name}", "expected once; lists are separated by commas") for name in again)
        raise Problem(Code.INVALID_REQUEST, f"query.{again[0]}: {faults[0].detail}", faults=faults)
    if "data" in handler.parsed_fn_signature.parameters:
        media_type = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "Expected a body of `Content-Type: application/json`.")


@lru_cache(maxsize=1_024)
def _query_names(handler: BaseRouteHandler) -> frozenset[str]:
    """The parameters of the handler and of what is provided to it, without what comes from elsewhere."""
    provided = handler.resolve_dependencies()
    signatures = [handler.parsed_fn_signature]
    signatures += [
        provided[name].parsed_fn_signature for name in handler.parsed_fn_signature.parameters if name in provided
    ]
    elsewhere = {*_NOT_FROM_THE_QUERY, *provided, *re.split(r"[/{}:]", "/".join(handler.paths))}
    names = set()
    for signature in signatures:
        for name, field in signature.parameters.items():
            if name not in elsewhere:
                kwarg = field.kwarg_definition
                if isinstance(kwarg, HeaderParameter):
                    continue
                alias = kwarg.name if isinstance(kwarg, QueryParameter) else None
                names.add(alias or name)
    return frozenset(names)


async def strict_body(request: Request[Any, Any, Any]) -> None:
    """Raises what the framework raises for a body that does not fit. It takes a number for a time and "yes" for true,
    as it has to in a query."""
    field = request.route_handler.parsed_fn_signature.parameters.get("data")
    if field is None:
        return
    try:
        msgspec.json.decode(await request.body(), type=field.annotation)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        fault = {"source": "body", "key": path.rstrip("`").removeprefix("."), "message": message}
        raise ValidationException(extra=[fault]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # No JSON: the framework says so.
        return

"""Where Swagger UI's files lie in the wheel `swagger-ui-bundle`.

The wheel carries Swagger UI 4, which draws OpenAPI 3.0 only; `docs.js` translates for display what 3.1 says
differently. `/openapi.json` itself stays 3.1. Replace both files when a wheel with Swagger UI 5 is at hand that does
not bring a web framework along.
"""

from pathlib import Path
from typing import Final

from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

SWAGGER_UI_FILES: Final = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})


def swagger_ui_file(name: str) -> bytes:
    assert name in SWAGGER_UI_FILES, name
    return (Path(swagger_ui_path) / name).read_bytes()

"""The OpenAPI document, made from the Routes that are served."""

import re
from collections.abc import Iterable
from typing import Final

from blikk_edge.net.http.route import Route, Scope
from blikk_edge.wire.values import Json, JsonObject

OPENAPI: Final = "3.1.0"

_NAME: Final = re.compile(r"\{([a-z_]+)(?::[^}]*)?\}")


def document(routes: Iterable[Route], version: str) -> JsonObject:
    """The document of these Routes, those of pages left out."""
    paths: dict[str, JsonObject] = {}
    for route in sorted((each for each in routes if each.document), key=lambda each: (each.path, each.method)):
        path = _NAME.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": OPENAPI,
        "info": {"title": "Blikk Edge", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": dict(paths),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "blikk_session"},
            },
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                }
            },
        },
    }


def _operation(route: Route) -> JsonObject:
    names = _NAME.findall(route.path)
    status = route.status if route.answer or route.status != 200 else 101
    fine: JsonObject = {"description": "A WebSocket." if status == 101 else "Done."}
    if route.answer:
        fine = {"description": "The answer.", "content": {route.answer: {}}}
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in route.query.items()
    ]
    operation: JsonObject = {
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            str(status): fine,
            "default": {
                "description": "What was wrong, and how to mend it.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if route.scope is not Scope.PUBLIC:
        operation["security"] = [{"token": []}, {"session": []}]
        operation["x-scope"] = route.scope.value
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {route.brings: {"schema": route.body}}}
    return operation

"""What the gateway says of itself, from the operation table: OpenAPI, AsyncAPI, types and routes for JavaScript."""

from gateway.specs.asyncapi import asyncapi
from gateway.specs.contract import Contract
from gateway.specs.openapi import openapi
from gateway.specs.routes import routes
from gateway.specs.typescript import typescript

__all__ = ["Contract", "asyncapi", "openapi", "routes", "typescript"]

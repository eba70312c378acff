"""Traces told to an OpenTelemetry collector: off unless there is an endpoint, and only with the extra `opentelemetry`.

A span for each operation that is carried out, by the name of its event, and one for each statement to PostgreSQL,
below the operation where that asks by itself; what is written in batches has spans of its own. `OTEL_TRACES_SAMPLER`
and what else the SDK reads is left to it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from gateway.dispatch import Dispatcher, Outcome, Served
from gateway.limits import Admission
from gateway.logs import request_id
from gateway.metrics.counts import OK
from gateway.settings import Settings
from gateway.startup import CannotStart
from handlers.actor import Actor
from handlers.operation import Refusal

EXPORT_SECONDS = 5.0
"""Within which the collector has to take what is told, or it is dropped."""
OURS = ("INTERNAL", "UNAVAILABLE")
"""Refusals that are no fault of the client's."""


class TracedDispatcher(Dispatcher):
    """A dispatcher that tells of each operation. `tracer` is OpenTelemetry's."""

    def __init__(self, *parts: Any, tracer: Any) -> None:
        from opentelemetry.trace import SpanKind, StatusCode

        super().__init__(*parts)
        self._tracer = tracer
        self._kind, self._error = SpanKind.SERVER, StatusCode.ERROR

    async def carry_out(
        self,
        served: Served,
        actor: Actor,
        command: Any,
        admission: Admission,
        *,
        shown: bool = True,
    ) -> Outcome:
        """Carry it out within a span; what came of it is `vernissage.outcome`."""
        with self._tracer.start_as_current_span(
            served.operation.event,
            kind=self._kind,
            attributes={
                "vernissage.domain": served.domain.name,
                "vernissage.request_id": str(request_id.get("")),
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                outcome = await super().carry_out(served, actor, command, admission, shown=shown)
            except Refusal as refusal:
                span.set_attribute("vernissage.outcome", refusal.code)
                if refusal.code in OURS:
                    span.set_status(self._error)
                raise
            span.set_attribute("vernissage.outcome", OK)
            return outcome


@asynccontextmanager
async def tracing(settings: Settings, node: str) -> AsyncIterator[Any]:
    """The tracer, or None where nobody is told. What waits is told at the end. Raises CannotStart without the extra."""
    if not settings.otlp_endpoint:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise CannotStart(
            "VERNISSAGE_OTLP_ENDPOINT is given, and OpenTelemetry is not installed:"
            " install vernissage[opentelemetry], or drop the endpoint"
        ) from None
    release = version("vernissage")
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": "vernissage",
                "service.version": release,
                "service.instance.id": node,
                "deployment.environment.name": settings.env,
            }
        )
    )
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otlp_endpoint}/v1/traces", timeout=EXPORT_SECONDS
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # The text of statements goes along, and never what fills it in.
    statements: Any = AsyncPGInstrumentor(capture_parameters=False)  # type: ignore[no-untyped-call]
    statements.instrument(tracer_provider=provider)
    try:
        yield provider.get_tracer("vernissage", release)
    finally:
        statements.uninstrument()
        await asyncio.to_thread(provider.shutdown)

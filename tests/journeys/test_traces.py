"""What goes to an OpenTelemetry collector, and what never does: a real node, and a receiver of what it sends."""

import gzip
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway.settings import read_settings
from gateway.startup import CannotStart
from gateway.traces import tracing
from store.ids import new_id
from tests.listening import listening
from tests.nodes import Installation
from tests.people import People


class Collector:
    """Stands for the service: `spans` are what came in, `said` is all of it as it came."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.said = b""
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.said += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with listening(app) as collector.url:
        yield collector


async def test_operations_and_statements_are_told_and_nothing_of_people(
    installation: Installation, people: People, collector: Collector
) -> None:
    """Over sockets and REST, with outcomes and request ids; a page's statement stands below the page."""
    node = await installation.start(otlp_endpoint=collector.url)
    ada, bob = people.named("Ada", "Bob")
    await ada.comes_to(node)
    await bob.comes_to(node)
    post = await ada.shares()
    await bob.comments(post, "Words of mine")
    page = await bob.gets("post:get", {"post_id": post["id"]})
    refused = await bob.requests("post:get", {"post_id": str(new_id())})
    await node.stop()  # what waits is told then

    [commented] = collector.named("comment:create")
    assert attributes(commented)["vernissage.outcome"] == "ok"
    assert attributes(commented)["vernissage.domain"] == "gallery"
    assert attributes(commented)["vernissage.request_id"]
    read, missed = collector.named("post:get")
    assert attributes(missed)["vernissage.outcome"].endswith("NOT_FOUND")
    assert missed.status.code == Status.STATUS_CODE_UNSET
    below = [span for span in collector.spans if span.parent_span_id == read.span_id]
    assert any("select" in attributes(span)["db.statement"].lower() for span in below)
    assert (page["id"], refused.body["code"]) == (
        post["id"],
        attributes(missed)["vernissage.outcome"],
    )
    for kept in (b"Words of mine", ada.token().encode(), ada.id.encode(), b"Ada"):
        assert kept not in collector.said


async def test_without_the_extra_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = read_settings({"VERNISSAGE_OTLP_ENDPOINT": "http://localhost:4318"})
    with pytest.raises(CannotStart, match=r"install vernissage\[opentelemetry\]"):
        async with tracing(settings, "n1"):
            pass


async def test_nobody_is_told_by_default() -> None:
    async with tracing(read_settings({}), "n1") as tracer:
        assert tracer is None

// The operator's page: asks /metrics again and again, and shows what happened in between.

import { h } from "/gallery/dom.js";
import { Chart } from "/operator/chart.js";
import { Reading, Span } from "/operator/readings.js";
import { bytes, count, percent, seconds } from "/operator/words.js";

const EVERY_SECONDS = 2;
const POINTS = 90;
const TABLE_SECONDS = 20;
const BUSIEST = 10;

const percentiles = (name) => [
  ["p99", (span) => span.quantile(0.99, name)],
  ["p50", (span) => span.quantile(0.5, name)],
];

const charts = [
  {
    title: "Connections", told: "clients that are connected", words: count,
    lines: [
      ["all", ({ now }) => now.sum("connections")],
      ["WebSocket", ({ now }) => now.sum("connections", { transport: "websocket" })],
      ["long-polling", ({ now }) => now.sum("connections", { transport: "polling" })],
    ],
  },
  {
    title: "Events", told: "committed here, a second", words: count,
    lines: [
      ["committed", (span) => span.rate("events_total", { origin: "here" })],
      ["over the bus", (span) => span.rate("events_total", { origin: "bus" })],
    ],
  },
  {
    title: "Deliveries", told: "written to watchers, a second", words: count,
    lines: [["delivered", (span) => span.rate("deliveries_total")]],
  },
  {
    title: "From commit to screens", told: "99 of 100 entries, at most", words: seconds,
    lines: percentiles("delivery_seconds"),
  },
  {
    title: "Commands", told: "over sockets, a second", words: count,
    lines: [
      ["all", (span) => span.rate("commands_total")],
      ["refused", (span) => span.rate("commands_total") - span.rate("commands_total", { outcome: "ok" })],
    ],
  },
  {
    title: "From command to ack", told: "99 of 100 commands, at most", words: seconds,
    lines: percentiles("command_seconds"),
  },
  {
    title: "Requests", told: "over HTTP, a second", words: count,
    lines: [["answered", (span) => span.rate("requests_total")]],
  },
  {
    title: "From request to answer", told: "99 of 100 requests, at most", words: seconds,
    lines: percentiles("request_seconds"),
  },
  {
    title: "Batches", told: "commands written together, on average", words: count,
    lines: [["commands", (span) => span.mean("batch_commands")]],
  },
  {
    title: "Waiting for a batch", told: "99 of 100 batches, at most", words: seconds,
    lines: [
      ["waited", (span) => span.quantile(0.99, "batch_wait_seconds")],
      ["took", (span) => span.quantile(0.99, "batch_seconds")],
    ],
  },
  {
    title: "Joins", told: "clients let in, a second", words: count,
    lines: [
      ["let in", (span) => span.rate("joins_total", { outcome: "ok" })],
      ["refused", (span) => span.rate("joins_total") - span.rate("joins_total", { outcome: "ok" })],
    ],
  },
  {
    title: "Event loop", told: "late, 99 of 100 times at most", words: seconds,
    lines: percentiles("loop_lag_seconds"),
  },
].map((each) => new Chart({ ...each, points: POINTS }));

const tables = [
  {
    title: "Workers", heads: ["worker", "clients", "CPU", "memory"],
    rows: (span) => span.now.values("worker_connections", "worker").map((worker) => [
      worker,
      count(span.now.sum("worker_connections", { worker })),
      percent(Math.max(span.rate("worker_cpu_seconds_total", { worker }), 0)),
      bytes(span.now.sum("worker_resident_bytes", { worker })),
    ]),
  },
  {
    title: "Batches", heads: ["of", "a second", "commands", "waited, p99", "took, p99"],
    rows: (span) => span.now.values("batch_seconds_count", "batch").map((batch) => [
      batch,
      count(span.rate("batch_seconds_count", { batch })),
      count(span.mean("batch_commands", { batch })),
      seconds(span.quantile(0.99, "batch_wait_seconds", { batch })),
      seconds(span.quantile(0.99, "batch_seconds", { batch })),
    ]),
  },
  {
    title: "Commands", heads: ["busiest", "a second", "refused", "p50", "p99"],
    rows: (span) => busiest(span, "commands_total", "command_seconds", ({ outcome }) => outcome !== "ok"),
  },
  {
    title: "Requests", heads: ["busiest", "a second", "failed", "p50", "p99"],
    rows: (span) => busiest(span, "requests_total", "request_seconds", ({ status }) => status >= "500"),
  },
  {
    title: "Worth a look", heads: ["since the start", "", "now"],
    rows: (span) => [
      ["slow readers closed", "connections_ended_total", { reason: "slow_consumer" }],
      ["gaps filled from the journal", "gaps_filled_total"],
      ["topics that started over", "topics_started_over_total"],
      ["replays from memory", "replays_total", { source: "ring" }],
      ["replays from the journal", "replays_total", { source: "journal" }],
      ["replays refused", "replays_total", { source: "refused" }],
      ["lines to Redis lost", "bus_lost_total"],
      ["PostgreSQL out of reach", "database_failures_total"],
      ["jobs that failed", "jobs_total", { outcome: "failed" }],
      ["clients turned away", "turned_away_total"],
      ["workers that died", "worker_deaths_total"],
    ].map(([what, name, labels]) => {
      const fresh = span.growth(name, labels);
      return [what, count(span.now.sum(name, labels)), fresh ? `+${count(fresh)}` : ""];
    }),
  },
].map((each) => ({ ...each, body: h("tbody") }));

/** The names with most to do, and how that went; `bad` says of labels whether it went badly. */
function busiest(span, total, time, bad) {
  return span.now.values(total, "operation")
    .map((operation) => [operation, span.rate(total, { operation })])
    .filter(([, rate]) => rate > 0)
    .sort(([, one], [, other]) => other - one)
    .slice(0, BUSIEST)
    .map(([operation, rate]) => {
      const failed = span.now.all(total, { operation }).filter(({ labels }) => bad(labels))
        .reduce((sum, { labels }) => sum + span.rate(total, labels), 0);
      return [operation, count(rate), failed ? count(failed) : "",
        seconds(span.quantile(0.5, time, { operation })), seconds(span.quantile(0.99, time, { operation }))];
    });
}

const states = [
  ["workers", (now) => [now.sum("workers_ready") === now.sum("workers"), `${now.sum("workers_ready")} of ${now.sum("workers")} workers`]],
  ...["bus", "limits", "presence"].map((use) => [use, (now) => {
    const up = now.sum("redis_up", { use }) === 1;
    return [up, up ? `Redis: ${use}` : `no Redis for ${use}`];
  }]),
  ["journal", (now) => {
    const behind = now.sum("heads_behind");
    return [!behind, behind ? `${count(behind)} topics behind the journal` : "in step with the journal"];
  }],
  ["pool", (now) => {
    const [busy, most] = ["busy", "most"].map((state) => now.sum("pool_connections", { state }));
    return [busy < most, `${busy} of ${most} connections to PostgreSQL busy`];
  }],
].map(([name, of]) => ({ of, element: h("li", { data: { state: name } }) }));

const silence = document.getElementById("silence");
let readings = [];
let silentSince = null;

document.getElementById("charts").append(...charts.map(({ element }) => element));
document.getElementById("tables").append(...tables.map(({ title, heads, body }) =>
  h("div", { class: "card wide" },
    h("table", {}, h("caption", {}, title), h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))), body))));
document.getElementById("states").append(...states.map(({ element }) => element));

function show(now) {
  const [{ labels } = {}] = now.all("build_info");
  const [{ labels: before } = {}] = readings.at(-1)?.all("build_info") ?? [];
  if (before && before.node !== labels.node) {  // another launcher, which counts anew
    readings = [];
    for (const chart of charts) chart.clear();
  }
  const machines = now.sum("machines");
  const others = machines > 1 ? `, one of ${machines} machines` : "";
  document.getElementById("machine").textContent = `node ${labels.node}${others}, release ${labels.version}`;
  for (const { of, element } of states) {
    const [fine, words] = of(now);
    element.dataset.fine = fine;
    element.textContent = words;
  }
  readings.push(now);
  while (readings[0].at < now.at - TABLE_SECONDS && readings.length > 2) readings.shift();
  if (readings.length < 2) return;
  for (const chart of charts) chart.add(new Span(readings.at(-2), now));
  const span = new Span(readings[0], now);
  for (const { body, rows } of tables) {
    const found = rows(span);
    body.replaceChildren(...found.map(([first, ...others]) =>
      h("tr", {}, h("th", { scope: "row" }, first), ...others.map((other) => h("td", { class: other === "0" ? "nil" : null }, other)))));
    if (!found.length) body.append(h("tr", {}, h("td", { class: "nil none", colspan: 5 }, "none just now")));
  }
}

async function ask() {
  try {
    const answer = await fetch("/metrics", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`/metrics: ${answer.status}`);
    show(new Reading(await answer.text(), performance.now() / 1000));
    silentSince = null;
    silence.hidden = true;
  } catch (error) {
    silence.hidden = false;
    silentSince ??= new Date().toLocaleTimeString();
    silence.textContent = `No answer since ${silentSince}: ${error.message}`;
  } finally {
    setTimeout(ask, EVERY_SECONDS * 1000);
  }
}

ask();

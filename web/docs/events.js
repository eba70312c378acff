// All commands, acks and events over Socket.IO, as /asyncapi.json tells them.

import { h } from "/gallery/dom.js";

const main = document.getElementById("events");

try {
  const answer = await fetch("/asyncapi.json");
  if (!answer.ok) throw new Error(`/asyncapi.json: ${answer.status}`);
  show(await answer.json());
} catch (error) {
  main.append(h("p", { role: "alert" }, `The document could not be read: ${error.message}`));
}

function show(document_) {
  const { info, channels, operations, components } = document_;
  const message = (reference) => components.messages[last(reference)];
  const asked = Object.values(operations).filter((each) => each.action === "receive");
  const told = Object.values(operations).filter((each) => each.action === "send");
  main.append(
    h("h1", {}, "Commands and events"),
    h("p", { class: "lead" }, words(info.description)),
    h("h2", { id: "commands" }, "Commands"),
    ...asked.map((each) => command(each, message)),
    h("h2", { id: "topics" }, "Events"),
    ...told.map((each) => topic(channels[last(each.channel)], each, message)),
    h("h2", { id: "shapes" }, "Shapes"),
    ...Object.entries(components.schemas).map(([name, schema]) => shape(name, schema)),
  );
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function command(operation, message) {
  const { name, payload } = message(operation.messages[0]);
  const answer = message(operation.reply.messages[0]);
  const [done, refused] = answer.payload.oneOf ?? [];
  const codes = refused?.properties.error.allOf[1].properties.code.enum ?? [];
  return h("details", { class: "entry", id: last(operation.messages[0]) },
    h("summary", {}, h("code", {}, name), h("span", {}, words(operation.summary))),
    ...(operation.description ?? "").split("\n\n").map((paragraph) => h("p", {}, words(paragraph))),
    h("dl", {},
      h("dt", {}, "takes"), h("dd", {}, type(payload)),
      h("dt", {}, "answers"), h("dd", {}, done ? type(done.properties.data) : h("code", {}, answer.name)),
      codes.length > 0 && [h("dt", {}, "may be refused"), h("dd", { class: "codes" }, codes.map((code) => h("code", {}, code)))],
    ),
  );
}

function topic(channel, operation, message) {
  const session = channel.address === "/";
  const row = (reference) => {
    const { name, summary, payload, tags } = message(reference);
    return h("tr", {},
      h("td", {}, h("code", {}, name)), h("td", {}, tags[0].name),
      h("td", {}, type(payload)), h("td", {}, words(summary)),
    );
  };
  return h("section", { class: "topic" },
    h("h3", {}, session ? "of the session itself" : h("code", {}, channel.address)),
    h("table", {},
      h("thead", {}, h("tr", {}, ["event", "kind", "data", ""].map((head) => h("th", {}, head)))),
      h("tbody", {}, operation.messages.map(row)),
    ),
  );
}

function shape(name, schema) {
  const required = new Set(schema.required);
  const row = ([field, inner]) => h("tr", {},
    h("td", {}, h("code", {}, required.has(field) ? field : `${field}?`)),
    h("td", {}, type(inner)), h("td", {}, limits(inner)),
  );
  return h("section", { class: "shape", id: `shape-${name}` },
    h("h3", {}, name),
    (schema.description ?? "").split("\n\n").map((paragraph) => h("p", {}, words(paragraph))),
    h("table", {}, h("tbody", {}, Object.entries(schema.properties).map(row))),
  );
}

/** A schema in a few words, with links to shapes. */
function type(schema) {
  if (schema.$ref) return h("a", { href: `#shape-${last(schema)}` }, last(schema));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.flatMap((each, place) => (place ? [" or ", type(each)] : [type(each)])).flat();
  if (schema.enum) return schema.enum.flatMap((value, place) => (place ? [" · ", h("code", {}, value)] : [h("code", {}, value)]));
  if (schema.type !== "array") return schema.format ?? schema.type ?? "anything";
  if (Array.isArray(schema.items)) return ["[", ...schema.items.flatMap((each, place) => [place ? ", " : "", type(each)].flat()), "]"];
  return ["list of ", type(schema.items)].flat();
}

/** What else holds for a field. */
function limits(schema) {
  const plain = (schema.anyOf ?? []).find((each) => each.type !== "null") ?? schema;
  const said = [
    range(plain.minLength, plain.maxLength, "characters"),
    range(plain.minItems, plain.maxItems, "items"),
    plain.minimum > 0 || plain.maximum < Number.MAX_SAFE_INTEGER ? range(plain.minimum, plain.maximum, "") : "",
    schema.default !== undefined && schema.default !== null ? `${JSON.stringify(schema.default)} if left out` : "",
  ];
  return said.filter(Boolean).join(", ");
}

function range(least, most, what) {
  if (least === undefined && most === undefined) return "";
  const numbers = most === undefined ? `from ${least}` : least ? `${least} to ${most}` : `up to ${most}`;
  return `${numbers} ${what}`.trim();
}

/** Text in which `names` stand in backticks. */
function words(text) {
  return text.split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));
}

function last(reference) {
  return reference.$ref.split("/").at(-1);
}

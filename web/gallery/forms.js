// Forms: fields with a label, what is wrong said at the field that it is about, and sending once.

import { h } from "./dom.js";
import { explain } from "./work.js";

let number = 0;

/**
 * A labelled control with room for a hint and a complaint. `name` is the gateway's name of the field.
 * `element` is to be shown; `complain(text)` says what is wrong, and nothing takes it back.
 */
export function field(name, label, control, hint = null) {
  const id = `field-${++number}`;
  control.id = id;
  control.name = name;
  const complaint = h("p", { class: "complaint", id: `${id}-wrong` });
  const advice = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  const describe = (wrong) => {
    const by = [wrong && complaint.id, advice && advice.id].filter(Boolean).join(" ");
    if (by) control.setAttribute("aria-describedby", by);
    else control.removeAttribute("aria-describedby");
  };
  describe(false);
  return {
    name,
    control,
    element: h("div", { class: "field" }, h("label", { for: id }, label), control, advice, complaint),
    complain(text = null) {
      complaint.textContent = text ?? "";
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
      describe(Boolean(text));
    },
  };
}

export function input(properties) {
  return h("input", { type: "text", autocomplete: "off", ...properties });
}

export function area(properties) {
  return h("textarea", { rows: 3, ...properties });
}

/** A list to choose from; `words` are what the values are called. */
export function select(words, chosen = null) {
  const options = Object.entries(words).map(([value, word]) => h("option", { value, selected: value === chosen }, word));
  return h("select", {}, options);
}

/** A box to tick, with the words beside it. */
export function tick(label, ticked) {
  const box = h("input", { type: "checkbox", checked: ticked });
  return { box, element: h("label", { class: "tick" }, box, h("span", {}, label)) };
}

const ABOUT = {
  COMMUNITY_INVALID_TAG: ["tags", ({ tag }) => `“${tag}” cannot be a tag: use small letters, digits and hyphens, up to 30.`],
  COMMUNITY_TOO_MANY_TAGS: ["tags", ({ count, max_count: most }) => `${count} tags are too many: ${most} at most.`],
  COMMUNITY_ALREADY_SHARED: ["url", () => "This work was shared already."],
};

/** What a refusal says of each field: `{title: "must have …"}`; nothing where it is about none. */
function complaints(refusal) {
  if (refusal.code === "VALIDATION_ERROR") return refusal.details;
  if (!(refusal.code in ABOUT)) return {};
  const [name, words] = ABOUT[refusal.code];
  return { [name]: words(refusal.details) };
}

/**
 * Sends a form by `send()`, once at a time. What the gateway refuses is said at the fields it is about,
 * and whatever is about none of them at the form's foot.
 */
export function sending(form, fields, send) {
  const foot = h("p", { class: "complaint", role: "alert" });
  const button = form.querySelector("button.solid");
  button.before(foot);
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    for (const each of fields) each.complain();
    foot.textContent = "";
    try {
      await send();
    } catch (error) {
      refuse(error);
    } finally {
      button.disabled = false;
    }
  });

  function refuse(error) {
    if (error.code === undefined) return explain(error);
    const wrong = { ...complaints(error) };
    let first = null;
    for (const each of fields) {
      if (!(each.name in wrong)) continue;
      each.complain(sentence(wrong[each.name]));
      delete wrong[each.name];
      first ??= each.control;
    }
    if (first) first.focus();
    if (!first) foot.textContent = error.sentence;
  }
}

/** `must have 1 to 100 characters` as a sentence. */
function sentence(why) {
  const text = String(why);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// Questions that stand before everything else until they are answered.

import { h, icon } from "./dom.js";
import { area, field, sending } from "./forms.js";

/** Shows `content` in a dialog, which goes by Escape, by its cross, and by the answer's `close()`. */
export function dialog(title, content) {
  const close = () => element.close();
  const element = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h(
      "header",
      {},
      h("h2", { id: "dialog-title" }, title),
      h("button", { class: "plain", type: "button", "aria-label": "Close", on: { click: close } }, icon("close")),
    ),
    content,
  );
  element.addEventListener("close", () => element.remove());
  element.addEventListener("click", (event) => event.target === element && close());
  document.body.append(element);
  element.showModal();
  return { close };
}

/** A form in a dialog; `send()` does it, and the dialog goes once that has succeeded. */
export function ask(title, { fields, extra = [], word, send }) {
  const form = h("form", { class: "form" }, fields.map(({ element }) => element), extra, h("button", { class: "solid" }, word));
  const { close } = dialog(title, form);
  sending(form, fields, async () => {
    await send();
    close();
  });
  return form;
}

/** Asks whether to do something that cannot be undone, or that others will ask about. */
export function confirm(title, text, { word, reason = null, send }) {
  const why = reason ? field("reason", reason, area({ maxlength: 500, rows: 2 })) : null;
  ask(title, {
    fields: why ? [why] : [],
    extra: [h("p", {}, text)],
    word,
    send: () => send(why?.control.value.trim() || null),
  });
}

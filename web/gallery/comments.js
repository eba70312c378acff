// What people say about a work.

import { h, portrait, time, toast } from "./dom.js";
import { toCreator } from "./addresses.js";
import { newId } from "../client/index.js";
import { requireUser } from "./session.js";
import { attempt, explain } from "./work.js";
import { plural } from "./words.js";

const PAGE = 20;
const EDIT_WINDOW = 15 * 60 * 1000; // ms
const LONGEST = 1000; // characters

/**
 * The comments below a work, oldest first: a page, more pages on request, and what arrives meanwhile.
 * Events and pages may overtake each other, so each comment is kept in its newest version, and what
 * was deleted stays away.
 */
export class Comments {
  #services;
  #postId;
  #shown = new Map(); // comment id → { comment, element, timer }
  #newest = new Map(); // comment id → the newest version that an event or an ack told
  #deleted = new Set();
  #cursor = null;
  #complete = false;
  #turn = 0;
  #heading = h("h3", {});
  #list = h("ol", {});
  #more = h("button", { class: "quiet more", type: "button", hidden: true, on: { click: () => attempt(() => this.#next()) } }, "More comments");
  #sent = null; // { id, content } of what is on its way, for sending it again under the same id

  constructor(services, postId) {
    this.#services = services;
    this.#postId = postId;
    this.element = h("section", { class: "comments" }, this.#heading, this.#list, this.#more, this.#form());
  }

  total(count) {
    this.#heading.textContent = count === 0 ? "No comments yet" : plural(count, "comment");
  }

  event(name, data) {
    if (name === "comment:deleted") this.#remove(data.comment_id);
    if (name === "comment:created" || name === "comment:updated") this.#take(data.comment);
  }

  /** Reads anew as many pages as were shown, at least one. */
  async reload() {
    const turn = ++this.#turn;
    const { reading } = this.#services;
    const comments = [];
    let cursor = null;
    let page;
    do {
      page = await reading.comments(this.#postId, { cursor, limit: PAGE });
      if (turn !== this.#turn) return;
      comments.push(...page.items);
      cursor = page.has_more ? page.next_cursor : null;
    } while (cursor && comments.length < this.#shown.size);
    this.#clear();
    this.#place(comments, cursor);
  }

  end() {
    this.#turn += 1;
    this.#clear();
  }

  #clear() {
    for (const { timer } of this.#shown.values()) clearTimeout(timer);
    this.#shown.clear();
    this.#list.replaceChildren();
  }

  async #next() {
    const turn = this.#turn;
    const page = await this.#services.reading.comments(this.#postId, { cursor: this.#cursor, limit: PAGE });
    if (turn === this.#turn) this.#place(page.items, page.has_more ? page.next_cursor : null);
  }

  #place(comments, cursor) {
    for (const comment of comments) this.#show(this.#newer(comment));
    this.#cursor = cursor;
    this.#complete = cursor === null;
    this.#more.hidden = this.#complete;
    if (this.#complete) for (const comment of this.#newest.values()) this.#show(comment);
  }

  #newer(comment) {
    const heard = this.#newest.get(comment.id);
    return heard && heard.updated_at > comment.updated_at ? heard : comment;
  }

  /** Takes a comment from an event or an ack: shown at once, or when the pages have come that far. */
  #take(comment) {
    const heard = this.#newer({ ...this.#shown.get(comment.id)?.comment, ...comment });
    this.#newest.set(comment.id, heard);
    if (this.#complete || this.#shown.has(comment.id)) this.#show(heard);
  }

  #show(comment) {
    if (this.#deleted.has(comment.id)) return;
    const before = this.#shown.get(comment.id);
    if (before?.comment.updated_at === comment.updated_at && before.comment.content === comment.content) return;
    clearTimeout(before?.timer);
    const known = this.#withRights(comment);
    const { element, settle } = this.#element(known);
    const left = EDIT_WINDOW - (Date.now() - new Date(comment.created_at));
    const timer = known.can_edit ? setTimeout(settle, Math.max(0, left)) : null;
    this.#shown.set(comment.id, { comment, element, timer });
    if (before) before.element.replaceWith(element);
    else this.#list.append(element);
  }

  #remove(id) {
    this.#deleted.add(id);
    this.#newest.delete(id);
    const shown = this.#shown.get(id);
    clearTimeout(shown?.timer);
    shown?.element.remove();
    this.#shown.delete(id);
  }

  /** Events say nothing of what this reader may do; pages and acks do. */
  #withRights(comment) {
    if (comment.can_edit !== undefined) return comment;
    const { session, posts } = this.#services;
    const own = session.user !== null && comment.user_id === session.user.id;
    const hosts = session.user !== null && posts.get(this.#postId).user_id === session.user.id;
    const fresh = Date.now() - new Date(comment.created_at) < EDIT_WINDOW;
    return { ...comment, can_edit: own && fresh, can_delete: own || hosts || session.moderates };
  }

  /** `settle()` takes away what one may not do any more. */
  #element(comment) {
    const text = h("p", { class: "text" }, comment.content);
    const tools = h("span", { class: "desk" });
    const element = h(
      "li",
      { class: "comment", data: { comment: comment.id } },
      portrait(comment.author),
      h(
        "div",
        {},
        h(
          "p",
          { class: "who" },
          h("a", { class: "by", href: toCreator(comment.user_id) }, comment.author.display_name),
          time(comment.created_at),
          comment.is_edited && h("i", {}, "edited"),
          tools,
        ),
        text,
      ),
    );
    let editable = comment.can_edit;
    const tool = (word, click) => h("button", { class: "tool", type: "button", on: { click } }, word);
    const rest = () => tools.replaceChildren(...[editable && tool("Edit", edit), comment.can_delete && tool("Delete", ask)].filter(Boolean));
    const ask = () => {
      const sure = tool("Delete for good", () => this.#delete(comment.id));
      tools.replaceChildren(sure, tool("Keep", rest));
      sure.focus();
    };
    const edit = () => {
      const field = h("textarea", { rows: 3, maxlength: LONGEST, "aria-label": "Your comment", required: true });
      field.value = comment.content;
      const form = h("form", { class: "edit" }, field, h("button", { class: "solid" }, "Save"), tool("Cancel", () => form.replaceWith(text)));
      onSubmit(form, field, async (content) => {
        this.#take(await this.#services.client.command("comment:update", { comment_id: comment.id, content }));
        if (form.isConnected) form.replaceWith(text);
      });
      text.replaceWith(form);
      field.focus();
    };
    rest();
    return {
      element,
      settle() {
        editable = false;
        rest();
      },
    };
  }

  async #delete(id) {
    try {
      await this.#services.client.command("comment:delete", { comment_id: id });
    } catch (error) {
      if (error.code !== "COMMUNITY_COMMENT_NOT_FOUND") return explain(error);
    }
    this.#remove(id);
  }

  #form() {
    const field = h("textarea", { rows: 1, maxlength: LONGEST, placeholder: "Say something about it", "aria-label": "Your comment", required: true });
    const form = h("form", { class: "write" }, field, h("button", { class: "solid" }, "Send"));
    onSubmit(form, field, async (content) => {
      requireUser(this.#services.session);
      if (this.#sent?.content !== content) this.#sent = { id: newId(), content };
      const { id } = this.#sent;
      const comment = await this.#services.client.command("comment:create", { post_id: this.#postId, content, id });
      this.#sent = null;
      field.value = "";
      this.#take(comment);
      if (!this.#complete) toast("Your comment is in. It is further down, after the others.");
      else this.#shown.get(id)?.element.scrollIntoView({ block: "nearest" });
    });
    return form;
  }
}

/** Sends a form's text, by Enter too; what is refused stays in the field. */
function onSubmit(form, field, send) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const content = field.value.trim();
    const button = form.querySelector("button.solid");
    if (!content || button.disabled) return;
    button.disabled = true;
    await attempt(() => send(content));
    button.disabled = false;
  });
}

// What one may do with a post: its owner, other readers, and moderators.

import { toShare } from "./addresses.js";
import { askToBan } from "./creator.js";
import { ask, confirm } from "./dialog.js";
import { h, toast } from "./dom.js";
import { area, field, input, select, tick } from "./forms.js";
import { newId } from "../client/index.js";
import { requireUser } from "./session.js";
import { attempt } from "./work.js";
import { REASONS } from "./words.js";

/** `element` holds the buttons; `render()` brings them up to date. */
export function tools(services, postId) {
  const { posts, session } = services;
  const element = h("div", { class: "desk" });
  let shown = null;
  const tool = (word, click) => h("button", { class: "tool", type: "button", on: { click } }, word);

  function render() {
    const post = posts.get(postId);
    const state = JSON.stringify([post.is_featured, post.is_hidden, session.user?.id]);
    if (state === shown) return;
    shown = state;
    const own = post.user_id === session.user?.id;
    element.replaceChildren(
      ...[
        own && tool("Edit", () => edit(services, postId)),
        !own && h("a", { class: "tool", href: toShare(postId) }, "Share something inspired by it"),
        tool("Copy link", () => copy()),
        !own && tool("Report", () => report(services, postId)),
        (own || session.moderates) && tool("Delete", () => remove(services, postId)),
        session.moderates && tool(post.is_featured ? "Feature no longer" : "Feature", () => feature(services, postId)),
        session.moderates && tool(post.is_hidden ? "Show again" : "Hide", () => hide(services, postId)),
        session.moderates && !own && tool("Ban the creator", () => askToBan(services, post.author)),
      ].filter(Boolean),
    );
  }

  return { element, render };
}

async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    toast("The link is in your clipboard.");
  } catch {
    toast(location.href);
  }
}

function edit({ client, posts }, postId) {
  const post = posts.get(postId);
  const { epoch } = client;
  const title = field("title", "Title", input({ maxlength: 100, required: true }));
  title.control.value = post.title;
  const text = field("description", "Description", area({ maxlength: 500 }));
  text.control.value = post.description ?? "";
  const tags = field("tags", "Tags", input({ autocapitalize: "none" }), "Up to five, with spaces between.");
  tags.control.value = post.tags.join(" ");
  const prompt = tick("Show the prompt to others", post.show_prompt);
  ask("Edit this post", {
    fields: [title, text, tags],
    extra: [prompt.element],
    word: "Save",
    async send() {
      const changes = {
        title: title.control.value,
        description: text.control.value,
        tags: split(tags.control.value),
        show_prompt: prompt.box.checked,
      };
      posts.take(await client.command("post:update", { post_id: postId, ...changes }), epoch);
    },
  });
}

/** `night, spring` and `#night #spring` as a list of tags. */
export function split(text) {
  return text.split(/[\s,]+/).map((tag) => tag.replace(/^#/, "")).filter(Boolean);
}

function report({ client, session }, postId) {
  attempt(() => {
    requireUser(session);
    const id = newId();
    const reason = field("reason", "What is wrong with it?", select(REASONS));
    const details = field("details", "What should the moderators know?", area({ maxlength: 500 }), "Nobody else reads this.");
    ask("Report this work", {
      fields: [reason, details],
      word: "Report",
      async send() {
        const text = details.control.value.trim() || null;
        await client.command("post:report", { post_id: postId, reason: reason.control.value, details: text, id });
        toast("Thank you. The moderators will look at it.");
      },
    });
  });
}

function remove({ client, gone }, postId) {
  confirm("Delete this post?", "It goes for good, with its likes and comments.", {
    word: "Delete for good",
    async send() {
      await client.command("post:delete", { post_id: postId });
      gone(postId);
    },
  });
}

function feature({ client, posts }, postId) {
  const { epoch } = client;
  return attempt(async () => {
    const featured = !posts.get(postId).is_featured;
    posts.take(await client.command("post:feature", { post_id: postId, featured }), epoch);
    toast(featured ? "It is featured now." : "It is featured no longer.");
  });
}

function hide({ client, posts }, postId) {
  const { epoch } = client;
  if (posts.get(postId).is_hidden) {
    return attempt(async () => {
      posts.take(await client.command("post:hide", { post_id: postId, hidden: false }), epoch);
      toast("Everybody can see it again.");
    });
  }
  return confirm("Hide this post?", "Only its creator and moderators will see it.", {
    word: "Hide",
    reason: "Why (for the other moderators)",
    async send(reason) {
      posts.take(await client.command("post:hide", { post_id: postId, hidden: true, reason }), epoch);
      toast("It is hidden.");
    },
  });
}

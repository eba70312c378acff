// Puts the page together, and shows what its address says.

import { Account } from "./account.js";
import { read, toPost } from "./addresses.js";
import { Badge } from "./badge.js";
import { Creator } from "./creator.js";
import { ago } from "./words.js";
import { h, toast } from "./dom.js";
import { Filters } from "./filters.js";
import { Moderation } from "./moderation.js";
import { Notices } from "./notices.js";
import { Reading } from "./reading.js";
import { Room } from "./room.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { Share } from "./share.js";
import { Wall } from "./wall.js";
import { attempt, explain } from "./work.js";
import { Client, Follows, Posts } from "../client/index.js";

const KEPT = 6; // views that stay as they were left, for coming back to them
const STRIDE = 400; // ms from one work to the next for somebody in a hurry
const PATIENCE = 800; // ms for the session to come first: what is read in a known epoch needs no second reading

const place = (id) => document.getElementById(id);

const transport = new URLSearchParams(location.search).get("transport");
const session = new Session();
const client = new Client({ getToken: () => session.token(), ...(transport ? { transports: [transport] } : {}) });
const posts = new Posts(client, {
  event(postId, name, data) {
    if (name === "post:deleted") removed(postId);
    else if (name === "post:hidden") hidden(postId);
    else if (room.postId === postId) room.event(name, data);
  },
  refetch: (ids) => Promise.all([ids.includes(room.postId) && room.refetch(), ids.some((id) => id !== room.postId) && current?.view.refetch()]),
  gone: removed,
});
const follows = new Follows(client);
const reading = new Reading(client);
const services = { client, session, posts, follows, reading, gone: removed };

const router = new Router(show);
const filters = new Filters(router, place("filters"));
const notices = new Notices(services, place("bell"));
const account = new Account(session, place("account"));
const room = new Room(services, { element: place("room"), wall: place("wall"), leave, step, beside });
new Badge(client, place("status"), place("offline"));

const kept = new Map(); // key of the history's entry → view, the one that was shown last at the end
let current = null; // { key, view }
let walking = null; // how many works further on one wants to be by now; null while one stands

function show(where, { key, base }) {
  const left = room.postId;
  if (where?.view !== "room") room.close();
  const moved = base ? mount(base.key, read(new URL(base.href, location.href))) : mount(key, where);
  if (where?.view === "room") room.enter(where.postId);
  else if (left && !moved) current.view.focus(left);
}

/** Shows the view of that key, as it was left or, where it was not kept, anew; whether it is another one. */
function mount(key, where) {
  if (current?.key === key) {
    introduce();
    return false;
  }
  const view = kept.get(key) ?? make(where);
  const returning = kept.delete(key);
  kept.set(key, view);
  for (const [old, { end }] of [...kept].slice(0, -KEPT)) {
    end.call(kept.get(old));
    kept.delete(old);
  }
  current = { key, view };
  place("view").replaceChildren(view.element);
  introduce();
  window.scrollTo({ top: returning ? router.scrolled(key) : 0 });
  if (!returning) view.begin().catch(explain);
  if (document.activeElement === document.body && document.readyState === "complete") place("wall").focus({ preventScroll: true });
  return true;
}

/** Says in the title, the bar and the filters which view this is. */
function introduce() {
  const { view } = current;
  document.title = `${view.title} · Vernissage`;
  place("where").textContent = view.title;
  const { feed, words, view: kind } = view.place ?? {};
  const here = kind === "wall" ? (words ? null : feed === "recent" ? "/" : `/${feed}`) : `/${kind}`;
  for (const link of document.querySelectorAll(".feeds a, #share")) {
    if (link.pathname === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  place("filters").hidden = kind !== "wall" || feed === "liked";
  if (kind === "wall") filters.show(view.place, () => view.tags);
}

function make(where) {
  if (where?.view === "wall") return new Wall(services, where);
  if (where?.view === "creator") return new Creator(services, where);
  if (where?.view === "share") return new Share(services, where, (href) => router.go(href, { replace: true }));
  if (where?.view === "moderation") return new Moderation(services, where);
  return nowhere();
}

function nowhere() {
  const element = h("div", { class: "empty" }, h("h1", { class: "heading" }, "There is nothing here"), h("p", {}, h("a", { class: "quiet", href: "/" }, "To the wall")));
  const nothing = () => {};
  return { element, title: "Nothing here", begin: async () => {}, refetch: nothing, takeDown: nothing, focus: () => false, gallery: nothing, own: nothing, end: nothing };
}

function leave() {
  router.back("/");
}

/** The first step is taken at once; those that follow on its heels are taken together: each room is read from the gateway. */
function step(by) {
  if (walking !== null) {
    walking += by;
    return;
  }
  const next = beside(by);
  if (next) router.go(toPost(next), { replace: true });
  walking = 0;
  setTimeout(() => {
    const further = walking;
    walking = null;
    if (further && room.postId) step(further);
  }, STRIDE);
}

/** The work that hangs so many further on than the open one; null where there is none. */
function beside(by) {
  const order = current.view.order ?? [];
  const at = order.indexOf(room.postId);
  return at < 0 ? null : (order[at + by] ?? null);
}

function removed(postId) {
  for (const view of kept.values()) view.takeDown(postId);
  if (room.postId !== postId) return;
  room.close(); // at once: it may be told again before one is back at the wall
  toast("This work is gone.");
  leave();
}

/** A hidden post stays with its creator and with moderators. */
async function hidden(postId) {
  const { user, moderates } = session;
  if (!moderates && posts.get(postId)?.user_id !== user?.id) return removed(postId);
  const { epoch } = client;
  try {
    posts.take(await reading.post(postId), epoch);
  } catch {
    removed(postId);
  }
}

async function greet() {
  place("moderation").hidden = !session.moderates;
  place("share").hidden = !session.user;
  await notices.begin();
  if (!session.user) return;
  const { stats } = await follows.fetch(session.user.id);
  account.followers(stats.follower_count);
}

/** The gallery's own topic says what is new on the walls. */
client.watch("gallery", {
  event(name, data) {
    if (name === "post:deleted") removed(data.post_id);
    else if (name === "post:hidden" && data) hidden(data.post_id);
    else for (const view of kept.values()) view.gallery(name, data);
  },
  refetch: ({ before }) => (before ? current?.view.refetch() : null),
});

client.watchOwn({
  event(name, data) {
    if (data === null) return;
    if (name === "notification:created" || name === "notification:updated") notices.take(data, name === "notification:created");
    if (name === "user:followed" || name === "user:unfollowed") account.followers(data.follower_count);
    for (const view of kept.values()) view.own(name, data);
  },
  refetch: ({ before }) => (before ? greet() : null),
});

client.addEventListener("ended", ({ detail }) => {
  toast(detail.sentence, "refusal");
  if (session.user) session.signOut();
});
session.addEventListener("change", () => {
  if (session.user) client.identify();
  else client.signOut().catch(explain);
  greet().catch(explain);
  for (const view of kept.values()) view.end();
  kept.clear();
  const { key, view } = current;
  current = null;
  mount(key, view.place);
  if (room.postId) room.enter(room.postId);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select, dialog") || place("filters").hidden || room.postId) return;
  event.preventDefault();
  filters.focus();
});
setInterval(() => {
  for (const element of document.querySelectorAll("time:not([data-exact])")) element.textContent = ago(element.dateTime);
}, 30_000);

attempt(async () => account.offer(await session.candidates()));
client.connect();
await new Promise((resolve) => {
  client.addEventListener("status", () => client.epoch && resolve());
  setTimeout(resolve, PATIENCE);
});
router.start();
greet().catch(explain);

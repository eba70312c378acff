// What the addresses of the gallery mean.

const FEEDS = ["recent", "trending", "following", "liked"];
export const STATUSES = ["pending", "reviewed", "actioned", "dismissed"];

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LISTS = ["followers", "following"];

/**
 * Where an address leads: `{view: "wall", feed, type, tags, words}`, `{view: "room", postId}`,
 * `{view: "creator", userId, list}`, `{view: "share", inspiredBy}`, `{view: "moderation", status}`,
 * or null.
 */
export function read({ pathname, searchParams: query }) {
  const [where, id, list, ...rest] = pathname.split("/").slice(1);
  if (rest.length || (list !== undefined && !LISTS.includes(list))) return null;
  if (where === "creators" && ID.test(id)) return { view: "creator", userId: id, list: list ?? "posts" };
  if (where === "posts" && ID.test(id) && !list) return { view: "room", postId: id };
  if (id !== undefined) return null;
  if (where === "share") return { view: "share", inspiredBy: query.get("inspired_by") };
  if (where === "moderation") return { view: "moderation", status: query.get("status") ?? "pending" };
  if (where === "search") return wall("recent", query, query.get("q"));
  if (where === "") return wall("recent", query);
  return FEEDS.includes(where) && where !== "recent" ? wall(where, query) : null;
}

function wall(feed, query, words = null) {
  return { view: "wall", feed, type: query.get("type"), tags: query.getAll("tag"), words: words || null };
}

/** The address of a wall. Words are looked for everywhere, whatever the feed. */
export function toWall({ feed = "recent", type = null, tags = [], words = null }) {
  const query = new URLSearchParams();
  if (words) query.set("q", words);
  if (type) query.set("type", type);
  for (const tag of tags) query.append("tag", tag);
  const path = words ? "/search" : feed === "recent" ? "/" : `/${feed}`;
  return query.size ? `${path}?${query}` : path;
}

export function toPost(id) {
  return `/posts/${id}`;
}

export function toCreator(id, list = "posts") {
  return list === "posts" ? `/creators/${id}` : `/creators/${id}/${list}`;
}

export function toShare(inspiredBy = null) {
  return inspiredBy ? `/share?inspired_by=${inspiredBy}` : "/share";
}

export function toModeration(status = "pending") {
  return status === "pending" ? "/moderation" : `/moderation?status=${status}`;
}

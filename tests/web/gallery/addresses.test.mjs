// What the addresses of the page mean: each view's leads back to it, and others lead nowhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { read, toCreator, toModeration, toPost, toShare, toWall } from "../../../web/gallery/addresses.js";

const ID = "01a0c453-2b20-72f7-89a3-4501911504a0";
const at = (address) => read(new URL(address, "http://gallery.test"));
const PLAIN = { type: null, tags: [], words: null };

test("a wall is read as it was written", () => {
  for (const feed of ["recent", "trending", "following", "liked"]) {
    assert.deepEqual(at(toWall({ feed })), { view: "wall", feed, ...PLAIN });
  }
  const narrow = { feed: "trending", type: "overlay", tags: ["night", "flat"], words: null };
  assert.deepEqual(at(toWall(narrow)), { view: "wall", ...narrow });
});

test("words are looked for everywhere, whatever was on the wall before", () => {
  const wanted = { feed: "following", type: null, tags: ["night"], words: "a & b = #c" };
  assert.deepEqual(at(toWall(wanted)), { view: "wall", ...wanted, feed: "recent" });
  assert.deepEqual(at("/search?q="), { view: "wall", feed: "recent", ...PLAIN });
});

test("works, creators, sharing and moderation have addresses", () => {
  assert.deepEqual(at(toPost(ID)), { view: "room", postId: ID });
  for (const list of ["posts", "followers", "following"]) {
    assert.deepEqual(at(toCreator(ID, list)), { view: "creator", userId: ID, list });
  }
  assert.deepEqual(at(toShare()), { view: "share", inspiredBy: null });
  assert.deepEqual(at(toShare(ID)), { view: "share", inspiredBy: ID });
  for (const status of ["pending", "dismissed"]) {
    assert.deepEqual(at(toModeration(status)), { view: "moderation", status });
  }
});

test("other addresses lead nowhere", () => {
  const others = ["/recent", "/posts", "/posts/1", `/posts/${ID}/likes`, `/creators/${ID}/posts`, `/creators/${ID}/followers/2`, "/trending/", `/share/${ID}`, "/docs"];
  for (const address of others) assert.equal(at(address), null, address);
});

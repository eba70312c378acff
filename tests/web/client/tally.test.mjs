// A like or follow that is shown before it is confirmed: what is shown, step by step.

import assert from "node:assert/strict";
import { test } from "node:test";
import { committed, isCounted, read, refused, shown, tally, told, wish } from "../../../web/client/tally.js";

const likes = (on, count) => ({ on, count });

test("a like shows at once, and is confirmed without a flicker", () => {
  const before = tally(false, 10, 5);
  const wished = wish(before, true);
  assert.equal(wished.send, true);
  assert.deepEqual(shown(wished.tally), likes(true, 11));
  const answered = committed(wished.tally, { on: true, count: 11, seq: 6 });
  assert.equal(answered.send, false);
  assert.deepEqual(shown(answered.tally), likes(true, 11));
});

test("what the gateway refuses is taken back, and what others did meanwhile stays", () => {
  const wished = wish(tally(false, 10, 5), true).tally;
  const meanwhile = told(wished, { count: 12, seq: 7, counted: false });
  assert.deepEqual(shown(meanwhile), likes(true, 13));
  assert.deepEqual(shown(refused(meanwhile)), likes(false, 12));
});

test("an event that counts one's own before the answer does not count it twice", () => {
  const wished = wish(tally(false, 10, 5), true).tally;
  const heard = told(wished, { count: 11, seq: 6, counted: true });
  assert.deepEqual(shown(heard), likes(true, 11));
  assert.deepEqual(shown(committed(heard, { on: true, count: 11, seq: 6 }).tally), likes(true, 11));
});

test("where an event does not say whether it counts one's own, the number does not jump back", () => {
  // It does: sixty liked in the same batch.
  let likers = told(wish(tally(false, 10, 5), true).tally, { count: 60, seq: 6, counted: null });
  assert.deepEqual(shown(likers), likes(true, 60));
  assert.deepEqual(shown(committed(likers, { on: true, count: 60, seq: 6 }).tally), likes(true, 60));
  // It does not: somebody was faster by a moment, or took theirs back.
  for (const count of [11, 9]) {
    likers = told(wish(tally(false, 10, 5), true).tally, { count, seq: 6, counted: null });
    assert.deepEqual(shown(likers), likes(true, 11));
    const after = shown(committed(likers, { on: true, count: count + 1, seq: 7 }).tally);
    assert.deepEqual(after, likes(true, count + 1));
  }
});

test("taking a like back is the same the other way round", () => {
  const wished = wish(tally(true, 10, 5), false).tally;
  assert.deepEqual(shown(wished), likes(false, 9));
  assert.deepEqual(shown(told(wished, { count: 9, seq: 6, counted: false })), likes(false, 9));
  assert.deepEqual(shown(told(wished, { count: 11, seq: 6, counted: true })), likes(false, 10));
  assert.deepEqual(shown(told(wished, { count: 11, seq: 6, counted: null })), likes(false, 9));
});

test("an answer that is older than what was told sets no number back", () => {
  const heard = told(wish(tally(false, 10, 5), true).tally, { count: 14, seq: 9, counted: true });
  assert.deepEqual(shown(committed(heard, { on: true, count: 11, seq: 6 }).tally), likes(true, 14));
});

test("events that are late or come twice change nothing", () => {
  const heard = told(tally(false, 10, 5), { count: 12, seq: 7, counted: false });
  assert.equal(told(heard, { count: 11, seq: 6, counted: false }), heard);
  assert.equal(told(heard, { count: 12, seq: 7, counted: false }), heard);
});

test("who changes their mind before the answer: one command at a time, and the last wish counts", () => {
  const first = wish(tally(false, 10, 5), true);
  const second = wish(first.tally, false);
  assert.equal(second.send, false);
  assert.deepEqual(shown(second.tally), likes(false, 10));
  const answered = committed(second.tally, { on: true, count: 11, seq: 6 });
  assert.equal(answered.send, true);
  assert.equal(answered.tally.sent, false);
  assert.deepEqual(shown(answered.tally), likes(false, 10));
  const done = committed(answered.tally, { on: false, count: 10, seq: 7 });
  assert.deepEqual([done.send, shown(done.tally)], [false, likes(false, 10)]);
  const third = wish(wish(first.tally, false).tally, true);
  assert.equal(committed(third.tally, { on: true, count: 11, seq: 6 }).send, false);
});

test("wishing for what is so already asks for nothing", () => {
  assert.deepEqual(wish(tally(true, 10, 5), true), { tally: tally(true, 10, 5), send: false });
});

test("a page read meanwhile is taken at its word, and the wish stays on top of it", () => {
  const wished = wish(tally(false, 10, 5), true).tally;
  assert.deepEqual(shown(read(wished, { on: false, count: 20, seq: 8 })), likes(true, 21));
  assert.deepEqual(shown(read(wished, { on: true, count: 21, seq: 8 })), likes(true, 21));
  assert.equal(read(wished, { on: false, count: 7, seq: 4 }), wished);
});

test("what has no position goes by the order in which it comes", () => {
  const follows = wish(tally(false, 3), true).tally;
  assert.deepEqual(shown(committed(follows, { on: true, count: 4 }).tally), likes(true, 4));
});

test("no number is ever below nothing", () => {
  assert.deepEqual(shown(wish(tally(true, 0, 5), false).tally), likes(false, 0));
});

test("who is counted: by name, or because all are named", () => {
  const [me, you, others] = [{ id: "me" }, { id: "you" }, [{ id: "a" }, { id: "b" }, { id: "c" }]];
  assert.equal(isCounted("me", [you, me], 9), true);
  assert.equal(isCounted("me", [you], 1), false);
  assert.equal(isCounted("me", [], 0), false);
  assert.equal(isCounted("me", others, 9), null);
});

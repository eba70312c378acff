// What is watched and how far it is known: sequences, duplicates, gaps, early events, refusals, races.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAIN, EARLY, GATHERED, INITIAL, reduce, ROOM, status } from "../../../web/client/topics.js";

const EPOCH = "e1";
const at = (seq, epoch = EPOCH) => ({ epoch, seq });
const event = (seq, topic = "post:a", name = "post:liked") => [name, { n: seq }, { topic, seq, at: "2026" }];
const answer = (topic, seq, events = null, epoch = EPOCH) => ({
  topic,
  epoch,
  seq,
  recovered: events !== null,
  events: events ?? [],
});

/** A reducer with its state, as a test drives it. `told` are the numbers that each watch was told of. */
class Following {
  state = INITIAL;
  told = {};
  ids = 0;

  take(input) {
    const [state, effects] = reduce(freeze(this.state), freeze(input));
    this.state = state;
    for (const { type, id, meta, name } of effects) {
      if (type === "tell") (this.told[id] ??= []).push(meta.seq ?? name);
    }
    return effects;
  }

  watch(topic = "post:a", since = null) {
    this.ids += 1;
    this.take({ type: "watch", id: this.ids, topic, since });
    return this.ids;
  }

  /** What is asked for now, and what is let go. */
  flush() {
    return this.take({ type: "flush" });
  }

  ready(more = {}) {
    return this.take({ type: "ready", way: "websocket", epoch: EPOCH, topic: null, ...more });
  }

  hears(...events) {
    return events.flatMap(([name, data, meta]) => this.take({ type: "event", name, data, meta }));
  }

  answered({ number, ids }, ...answers) {
    return this.take({ type: "answered", number, ids, answers });
  }

  stage(id) {
    return this.state.watches[id]?.stage;
  }

  position(id) {
    return this.state.watches[id].position;
  }
}

function freeze(value) {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}

/** One topic, watched from `since` and live. */
function live(since = at(3)) {
  const following = new Following();
  const id = following.watch("post:a", since);
  const [ask] = following.ready();
  following.answered(ask, answer("post:a", since.seq, []));
  assert.equal(following.stage(id), "live");
  return [following, id];
}

test("events are told in order, each once, and the position follows them", () => {
  const [following, id] = live(at(3));
  following.hears(event(4), event(5), event(5), event(4), event(6));
  assert.deepEqual(following.told[id], [4, 5, 6]);
  assert.deepEqual(following.position(id), at(6));
});

test("numbers may be left out on the way: states were replaced, nothing is lost", () => {
  const [following, id] = live(at(3));
  assert.deepEqual(following.hears(event(9)).map(({ type }) => type), ["tell"]);
  assert.deepEqual(following.position(id), at(9));
});

test("what has no number is told and moves nothing", () => {
  const [following, id] = live(at(3));
  following.hears(["presence:changed", {}, { topic: "post:a", at: "2026" }], event(4));
  assert.deepEqual(following.told[id], ["presence:changed", 4]);
});

test("events of topics that nobody watches are passed over", () => {
  const [following] = live(at(3));
  assert.deepEqual(following.hears(event(4, "post:b")), []);
});

test("what happened since is told from the answer, then what came before the answer", () => {
  const following = new Following();
  const id = following.watch("post:a", at(3));
  const [ask] = following.ready();
  assert.deepEqual(ask.topics, [{ topic: "post:a", since: at(3) }]);
  following.hears(event(6), event(7));
  assert.equal(following.told[id], undefined);
  following.answered(ask, answer("post:a", 6, [event(4), event(6)]));
  following.hears(event(8));
  assert.deepEqual(following.told[id], [4, 6, 7, 8]);
});

test("where states were replaced at the end of a replay, the position is the head's", () => {
  const following = new Following();
  const id = following.watch("post:a", at(3));
  const [ask] = following.ready();
  following.answered(ask, answer("post:a", 9, [event(4)]));
  assert.deepEqual(following.position(id), at(9));
});

test("without a position it is read afresh, and events wait until it is", () => {
  const following = new Following();
  const id = following.watch();
  const [ask] = following.ready();
  assert.deepEqual(ask.topics, [{ topic: "post:a" }]);
  following.hears(event(5));
  const [refetch] = following.answered(ask, answer("post:a", 5));
  assert.deepEqual(refetch, { type: "refetch", id, number: refetch.number, position: at(5), before: null });
  following.hears(event(6), event(7), event(8));
  assert.equal(following.told[id], undefined);
  following.take({ type: "read", id, number: refetch.number, position: at(7) });
  assert.deepEqual(following.told[id], [8]);
  assert.deepEqual(following.position(id), at(8));
});

test("whoever reads and does not say how far, has read at least up to the answer", () => {
  const following = new Following();
  const id = following.watch();
  const [ask] = following.ready();
  const [{ number }] = following.answered(ask, answer("post:a", 5));
  following.hears(event(6));
  following.take({ type: "read", id, number });
  assert.deepEqual(following.told[id], [6]);
});

test("what was read from before the answer is caught up with", () => {
  const following = new Following();
  const id = following.watch();
  const [ask] = following.ready();
  const [{ number }] = following.answered(ask, answer("post:a", 5));
  const [again] = following.take({ type: "read", id, number, position: at(2) });
  assert.deepEqual(again.topics, [{ topic: "post:a", since: at(2) }]);
});

test("too long away: not recovered, and it is read afresh", () => {
  const [following, id] = live(at(3));
  following.take({ type: "down" });
  const [ask] = following.ready();
  const [refetch] = following.answered(ask, answer("post:a", 900));
  assert.equal(refetch.type, "refetch");
  assert.deepEqual(refetch.before, at(3));
  assert.equal(following.stage(id), "reading");
});

test("another epoch is another history: numbers begin anew, lower ones too", () => {
  const [following, id] = live(at(300));
  following.take({ type: "down" });
  const [ask] = following.ready({ epoch: "e2" });
  const [{ number }] = following.answered(ask, answer("post:a", 7, null, "e2"));
  following.take({ type: "read", id, number, position: at(7, "e2") });
  following.hears(event(8));
  assert.deepEqual(following.told[id], [8]);
  assert.deepEqual(following.position(id), at(8, "e2"));
  assert.equal(following.state.epoch, "e2");
});

test("an answer of another epoch is never taken for a recovery", () => {
  const following = new Following();
  following.watch("post:a", at(3));
  const [ask] = following.ready();
  const effects = following.answered(ask, answer("post:a", 4, [event(4)], "e2"));
  assert.deepEqual(effects.map(({ type }) => type), ["refetch"]);
});

test("after a break all topics are asked for from where they are known", () => {
  const [following, id] = live(at(3));
  following.hears(event(4));
  following.take({ type: "down" });
  assert.equal(status(following.state), "offline");
  following.hears(event(5)); // of a connection that is gone
  const [ask] = following.ready({ way: "polling" });
  assert.equal(status(following.state), "catching-up");
  assert.deepEqual(ask.topics, [{ topic: "post:a", since: at(4) }]);
  following.answered(ask, answer("post:a", 5, [event(5)]));
  assert.deepEqual(following.told[id], [4, 5]);
  assert.equal(status(following.state), "polling");
});

test("an answer that comes after its connection is passed over", () => {
  const following = new Following();
  const id = following.watch("post:a", at(3));
  const [before] = following.ready();
  following.take({ type: "down" });
  const [ask] = following.ready();
  assert.deepEqual(following.answered(before, answer("post:a", 9, [event(9)])), []);
  assert.equal(following.stage(id), "asked");
  following.answered(ask, answer("post:a", 4, [event(4)]));
  assert.deepEqual(following.told[id], [4]);
});

test("a break in the middle of reading: it is read once more, and the late reading counts for nothing", () => {
  const following = new Following();
  const id = following.watch();
  const [first] = following.ready();
  const [late] = following.answered(first, answer("post:a", 5));
  following.take({ type: "down" });
  const [ask] = following.ready();
  assert.deepEqual(ask.topics, [{ topic: "post:a" }]);
  const [refetch] = following.answered(ask, answer("post:a", 8));
  following.take({ type: "read", id, number: late.number, position: at(5) });
  assert.equal(following.stage(id), "reading");
  following.take({ type: "read", id, number: refetch.number, position: at(8) });
  assert.equal(following.stage(id), "live");
});

test("a topic that may not be watched is gone, and not asked for again", () => {
  const following = new Following();
  const [gone, other] = [following.watch("post:a"), following.watch("post:b", at(1))];
  const [ask] = following.ready();
  const refusal = { code: "NOT_FOUND", message: "No.", details: {} };
  const effects = following.answered(ask, { error: refusal }, answer("post:b", 1, []));
  assert.deepEqual(effects, [{ type: "gone", id: gone, refusal }]);
  following.take({ type: "down" });
  const [again] = following.ready();
  assert.deepEqual(again.ids, [other]);
});

test("a topic refused for the moment is asked for again when it may be", () => {
  const following = new Following();
  const id = following.watch("post:a", at(3));
  const [ask] = following.ready();
  const refusal = { code: "OVERLOADED", message: "Busy.", details: {}, retry_after: 7 };
  assert.deepEqual(following.answered(ask, { error: refusal }), [{ type: "later", ms: 7000 }]);
  assert.equal(status(following.state), "catching-up");
  assert.deepEqual(following.flush(), []);
  const [again] = following.take({ type: "again" });
  assert.deepEqual(again.topics, [{ topic: "post:a", since: at(3) }]);
  assert.equal(following.stage(id), "asked");
});

test("a command that nobody answers is sent again, with what is known by then", () => {
  const following = new Following();
  following.watch("post:a", at(3));
  const [ask] = following.ready();
  following.hears(event(4));
  assert.deepEqual(following.take({ type: "unanswered", number: ask.number }), [{ type: "later", ms: AGAIN }]);
  const [again] = following.take({ type: "again" });
  assert.deepEqual(again.topics, [{ topic: "post:a", since: at(3) }]);
});

test("a reading that fails is tried again; one of what is no more is the end", () => {
  const following = new Following();
  const id = following.watch();
  const [ask] = following.ready();
  const [first] = following.answered(ask, answer("post:a", 5));
  const refusal = { code: "UNREACHABLE", message: "Nobody.", details: {} };
  const failed = { type: "unread", id, number: first.number, refusal };
  assert.deepEqual(following.take(failed), [{ type: "later", ms: AGAIN }]);
  const [again] = following.take({ type: "again" });
  assert.deepEqual(again.topics, [{ topic: "post:a" }]);
  const [second] = following.answered(again, answer("post:a", 6));
  const lost = { type: "unread", id, number: second.number, refusal: { ...refusal, code: "NOT_FOUND" } };
  assert.deepEqual(following.take(lost).map(({ type }) => type), ["gone"]);
});

test("many wishes become one command; so do many farewells, which go first", () => {
  const following = new Following();
  following.ready();
  const ids = ["post:a", "post:b", "post:c"].map((topic) => following.watch(topic, at(1)));
  const [ask, ...rest] = following.flush();
  assert.deepEqual(rest, []);
  assert.deepEqual(ask.ids, ids);
  following.take({ type: "stop", id: ids[0] });
  following.take({ type: "stop", id: ids[1] });
  following.watch("post:d", at(1));
  const [unwatch, watch] = following.flush();
  assert.deepEqual(unwatch, { type: "unwatch", topics: ["post:a", "post:b"] });
  assert.deepEqual(watch.topics, [{ topic: "post:d", since: at(1) }]);
});

test("a farewell before the answer: the answer counts for nothing, and the topic is let go", () => {
  const following = new Following();
  const id = following.watch("post:a", at(3));
  const [ask] = following.ready();
  following.take({ type: "stop", id });
  assert.deepEqual(following.flush(), [{ type: "unwatch", topics: ["post:a"] }]);
  assert.deepEqual(following.answered(ask, answer("post:a", 4, [event(4)])), []);
  assert.equal(following.told[id], undefined);
});

test("a farewell before it was ever asked for sends nothing", () => {
  const following = new Following();
  following.ready();
  following.take({ type: "stop", id: following.watch() });
  assert.deepEqual(following.flush(), []);
});

test("farewell and back at once: it is not let go, and what came meanwhile is not lost", () => {
  const [following, id] = live(at(3));
  following.take({ type: "stop", id });
  const back = following.watch("post:a", at(3));
  following.hears(event(4)); // the gateway never knew that one was away
  const effects = following.flush();
  assert.deepEqual(effects.map(({ type }) => type), ["watch"]);
  following.hears(event(5));
  following.answered(effects[0], answer("post:a", 5, [event(4), event(5)]));
  following.hears(event(6));
  assert.deepEqual(following.told[back], [4, 5, 6]);
});

test("two who follow one topic each have their own place in it; it is let go with the last", () => {
  const [following, first] = live(at(3));
  following.hears(event(4));
  const second = following.watch("post:a", at(1));
  const [ask] = following.flush();
  following.hears(event(5));
  following.answered(ask, answer("post:a", 5, [event(2), event(3), event(4), event(5)]));
  assert.deepEqual(following.told, { [first]: [4, 5], [second]: [2, 3, 4, 5] });
  following.take({ type: "stop", id: first });
  assert.deepEqual(following.flush(), []);
  following.take({ type: "stop", id: second });
  assert.deepEqual(following.flush(), [{ type: "unwatch", topics: ["post:a"] }]);
});

test("the same topic is never twice in one command", () => {
  const following = new Following();
  const [first, second] = [following.watch("post:a", at(1)), following.watch("post:a", at(2))];
  const [ask, ...rest] = following.ready();
  assert.deepEqual([ask.ids, rest], [[first], []]);
  assert.deepEqual(following.answered(ask, answer("post:a", 2, [event(2)])).at(-1), { type: "soon" });
  const [next] = following.flush();
  assert.deepEqual(next.ids, [second]);
});

test("one's own topic is watched under whatever name it has, and never let go", () => {
  const following = new Following();
  const id = following.watch(null);
  assert.deepEqual(following.ready(), []);
  following.take({ type: "down" });
  const [ask] = following.ready({ topic: "user:me" });
  assert.deepEqual(ask.topics, [{ topic: "user:me" }]);
  const [{ number }] = following.answered(ask, answer("user:me", 4));
  following.take({ type: "read", id, number });
  following.hears(event(5, "user:me"));
  assert.deepEqual(following.told[id], [5]);
  following.take({ type: "stop", id });
  assert.deepEqual(following.flush(), []);
});

test("somebody else's own topic is another one: where one stood in it says nothing", () => {
  const following = new Following();
  following.watch(null, at(9));
  following.ready({ topic: "user:me" });
  following.take({ type: "down" });
  const [ask] = following.ready({ topic: "user:you" });
  assert.deepEqual(ask.topics, [{ topic: "user:you" }]);
});

test("of more topics than a socket may watch, those are watched that were wished for last", () => {
  const following = new Following();
  following.ready({ topic: "user:me" });
  const ids = Array.from({ length: ROOM + 5 }, (_, n) => following.watch(`post:${n}`, at(1)));
  const asks = following.flush();
  assert.ok(asks.every(({ type, topics }) => type === "watch" && topics.length <= GATHERED));
  assert.deepEqual(asks.flatMap((ask) => ask.ids), ids.slice(-(ROOM - 1)));
  for (const ask of asks) {
    following.answered(ask, ...ask.topics.map(({ topic }) => answer(topic, 1, [])));
  }
  assert.equal(status(following.state), "websocket");
  // The last ones go: there is room for earlier ones again, which catch up.
  following.take({ type: "stop", id: ids.at(-1) });
  const [unwatch, watch] = following.flush();
  assert.deepEqual(unwatch.topics, [`post:${ROOM + 4}`]);
  assert.deepEqual(watch.topics, [{ topic: "post:5", since: at(1) }]);
});

test("what has to make room is let go, and keeps its place", () => {
  const [following, id] = live(at(3));
  following.hears(event(4));
  Array.from({ length: ROOM }, (_, n) => following.watch(`post:${n}`, at(1)));
  const [unwatch] = following.flush();
  assert.deepEqual(unwatch, { type: "unwatch", topics: ["post:a"] });
  assert.deepEqual([following.stage(id), following.position(id)], ["wanted", at(4)]);
});

test("events that wait have a bound; past it all is read afresh", () => {
  const following = new Following();
  const id = following.watch();
  const [ask] = following.ready();
  following.answered(ask, answer("post:a", 0));
  following.hears(...Array.from({ length: EARLY }, (_, n) => event(n + 1)));
  assert.deepEqual(following.hears(event(EARLY + 1)), [{ type: "soon" }]);
  const [again] = following.flush();
  assert.deepEqual(again.topics, [{ topic: "post:a" }]);
  assert.deepEqual(following.state.watches[id].early, []);
});

test("a page that is live does not catch up because one more topic is watched", () => {
  const [following] = live(at(3));
  following.watch("post:b");
  following.flush();
  assert.equal(status(following.state), "websocket");
  following.take({ type: "upgraded", way: "polling" });
  assert.equal(status(following.state), "polling");
});

test("without a socket topics are asked for in turns, new ones first, one at a time", () => {
  const following = new Following();
  const ids = [following.watch("post:a", at(1)), following.watch("post:b", at(1)), following.watch(null)];
  assert.deepEqual(following.ready({ way: "rest" }), []);
  assert.equal(status(following.state), "catching-up");
  const asked = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const [poll] = following.take({ type: "turn" });
    assert.deepEqual(following.take({ type: "turn" }), []);
    asked.push([poll.topic, poll.since.seq]);
    const seq = poll.since.seq + 1;
    following.answered({ number: poll.number, ids: [poll.id] }, answer(poll.topic, seq, [event(seq, poll.topic)]));
    assert.equal(status(following.state), turn === 0 ? "catching-up" : "rest");
  }
  assert.deepEqual(asked.map(([topic]) => topic), ["post:a", "post:b", "post:a", "post:b", "post:a"]);
  assert.deepEqual(following.told, { [ids[0]]: [2, 3, 4], [ids[1]]: [2, 3] });
});

test("in turns, what was wished for last comes again soon, and nothing waits for ever", () => {
  const topics = Array.from({ length: 12 }, (_, n) => `post:${n}`);
  const following = new Following();
  for (const topic of topics) following.watch(topic, at(1));
  following.ready({ way: "rest" });
  const asked = [];
  for (let turn = 0; turn < 5 * topics.length; turn += 1) {
    const [poll] = following.take({ type: "turn" });
    following.answered({ number: poll.number, ids: [poll.id] }, answer(poll.topic, 1, []));
    asked.push(poll.topic);
  }
  const pauses = (topic) => {
    const turns = [...asked.keys()].filter((turn) => asked[turn] === topic);
    return [...turns.slice(1), asked.length].map((turn, n) => turn - turns[n]);
  };
  assert.deepEqual(asked.slice(0, topics.length), topics);
  assert.ok(Math.max(...pauses(topics.at(-1))) <= 4);
  for (const topic of topics) assert.ok(Math.max(...pauses(topic)) <= 2 * topics.length);
});

test("when there is a socket after all, it goes on from where the turns have come", () => {
  const following = new Following();
  following.watch("post:a", at(1));
  following.ready({ way: "rest" });
  const [poll] = following.take({ type: "turn" });
  following.answered({ number: poll.number, ids: [poll.id] }, answer("post:a", 4, [event(4)]));
  const [late] = following.take({ type: "turn" });
  const [ask] = following.ready();
  assert.deepEqual(ask.topics, [{ topic: "post:a", since: at(4) }]);
  assert.deepEqual(following.answered({ number: late.number, ids: [late.id] }, answer("post:a", 5, [event(5)])), []);
});

/** Chance that can be repeated: mulberry32. */
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A gateway with one topic, and everything between it and the client that may go wrong: answers and events
 * come in the order in which they were sent, the connection breaks at any moment, retention forgets what is old.
 */
function wander(seed) {
  const random = chance(seed);
  const pick = (n) => Math.floor(random() * n);
  const following = new Following();
  const journal = []; // numbers of the topic, of this epoch
  let [epoch, kept, wire, watching, reads] = [1, 0, [], false, []];
  let id = null;
  let model = null; // the sum of what the application knows: {epoch, numbers}
  const carryOut = (effects) => {
    for (const effect of effects) {
      if (effect.type === "unwatch") watching = false;
      if (effect.type === "watch") {
        const { since } = effect.topics[0];
        const recovered = since !== undefined && since.epoch === epoch && since.seq >= kept && since.seq <= journal.length;
        const events = recovered ? journal.slice(since.seq).map((n) => event(n)) : [];
        watching = true;
        wire.push({ type: "answered", number: effect.number, ids: effect.ids, answers: [{ epoch, seq: journal.length, recovered, events }] });
      }
      if (effect.type === "refetch") reads.push({ type: "read", id: effect.id, number: effect.number });
      if (effect.type === "tell") {
        assert.ok(effect.id === id, "told after the farewell");
        assert.equal(effect.meta.seq, model.numbers + 1, `seed ${seed}: the next is told, and no other`);
        model.numbers += 1;
      }
    }
  };
  const steps = [
    () => { // something happens
      journal.push(journal.length + 1);
      if (watching) wire.push({ type: "event", name: "n", data: {}, meta: { topic: "post:a", seq: journal.length } });
    },
    () => { // something arrives
      const arrived = wire.shift();
      if (arrived) carryOut(following.take(arrived));
    },
    () => { // a reading ends, as of now
      const read = reads.shift();
      if (!read) return;
      const taken = following.state.watches[read.id]?.stage === "reading" && following.state.watches[read.id].number === read.number;
      if (taken) model = { epoch, numbers: journal.length };
      carryOut(following.take({ ...read, position: { epoch, seq: journal.length } }));
    },
    () => { // the connection breaks, or comes back
      if (following.state.way) {
        [wire, watching] = [[], false];
        carryOut(following.take({ type: "down" }));
      } else carryOut(following.ready({ epoch }));
    },
    () => { // somebody comes or goes
      if (id === null) {
        following.ids += 1;
        id = following.ids;
        carryOut(following.take({ type: "watch", id, topic: "post:a", since: model && { epoch: model.epoch, seq: model.numbers } }));
      } else {
        carryOut(following.take({ type: "stop", id }));
        id = null;
      }
    },
    () => carryOut(following.flush()),
    () => { kept = Math.min(journal.length, kept + pick(4)); },
    () => { // the database is restored from a backup, and no connection outlives that
      if (pick(4)) return;
      [epoch, wire, watching, kept] = [epoch + 1, [], false, 0];
      journal.length = pick(journal.length + 1);
      carryOut(following.take({ type: "down" }));
    },
  ];
  const weights = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 5, 6, 7];
  for (let step = 0; step < 120; step += 1) steps[weights[pick(weights.length)]]();
  // In the end everything calms down, and the application knows what the journal has.
  if (id === null) steps[4]();
  if (following.state.way === null) steps[3]();
  for (let rest = 0; rest < 6 || wire.length || reads.length; rest += 1) {
    carryOut(following.flush());
    while (wire.length) steps[1]();
    while (reads.length) steps[2]();
  }
  assert.equal(following.stage(id), "live");
  assert.deepEqual([model.epoch, model.numbers], [epoch, journal.length], `seed ${seed}`);
}

test("whatever happens in whatever order, everything is known in the end, and was told once", () => {
  for (let seed = 1; seed <= 1000; seed += 1) wander(seed);
});

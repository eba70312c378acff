// One's own like or follow, shown before it is confirmed: pure, like `topics.js`.
//
// A tally is `{on, count, seq, wish, sent, growth}`: whether one likes it and how many do as far as the
// gateway has told, up to `seq`; `wish` is what one wants it to be instead, null if nothing; `sent` is what
// was asked of the gateway and is not answered; `growth` is what the wish adds to the count that is shown.

/** A tally as it was read. `seq` is its position in the topic, null where it has none. */
export function tally(on, count, seq = null) {
  return { on, count, seq, wish: null, sent: null, growth: 0 };
}

/** What to show: `{on, count}`. */
export function shown({ on, count, wish, growth }) {
  return { on: wish ?? on, count: Math.max(0, count + growth) };
}

/** One wants it to be `on`. If `send` comes back true, that is to be asked of the gateway. */
export function wish(before, on) {
  const growth = before.growth + Number(on) - Number(shown(before).on);
  if (before.sent !== null) return { tally: { ...before, wish: on, growth }, send: false };
  if (on === before.on) return { tally: { ...before, wish: null, growth: 0 }, send: false };
  return { tally: { ...before, wish: on, sent: on, growth }, send: true };
}

/** The gateway has done it. If `send` comes back true, one wants something else by now. */
export function committed(before, { on, count, seq = null }) {
  const newer = seq === null || before.seq === null || seq >= before.seq;
  const next = { ...before, on, sent: null, ...(newer ? { count, seq } : {}) };
  if (before.wish === on || before.wish === null) return { tally: { ...next, wish: null, growth: 0 }, send: false };
  const growth = Number(before.wish) - Number(on);
  return { tally: { ...next, sent: before.wish, growth }, send: true };
}

/** The gateway has refused: everything is as it was told last. */
export function refused(before) {
  return { ...before, wish: null, sent: null, growth: 0 };
}

/** It was read anew, as of `seq`. A reading that is older than what was told changes nothing. */
export function read(before, { on, count, seq = null }) {
  if (seq !== null && before.seq !== null && seq < before.seq) return before;
  const growth = before.wish === null ? 0 : Number(before.wish) - Number(on);
  return { ...before, on, count, seq, growth };
}

/**
 * An event tells the count as of `seq`, and the newest of those who are counted. Where one is not among
 * them, and they are not all, it may or may not count what one has just done: then the number that is shown
 * goes no way but the wished one, until the answer says for certain.
 */
export function told(before, { count, seq, counted }) {
  if (before.seq !== null && seq <= before.seq) return before;
  const on = counted ?? before.on;
  const next = { ...before, count, seq };
  if (before.wish === null) return { ...next, on, growth: 0 };
  if (counted !== null) return { ...next, growth: Number(before.wish) - Number(counted) };
  const apart = shown(before).count - count;
  return { ...next, growth: before.wish ? Math.max(0, apart) : Math.min(0, apart) };
}

/** Whether `me` is counted, as far as the newest of those who are tell: null where they do not. */
export function isCounted(me, newest, count) {
  if (newest.some((one) => one.id === me)) return true;
  return newest.length >= count ? false : null;
}

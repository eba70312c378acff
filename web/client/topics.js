// What is watched and how far it is known: a pure reducer, which neither sends nor waits.
//
// `reduce(state, input)` answers `[state, effects]`. Inputs are what happened, effects what to do about
// it; both are objects with a `type`. Nothing is ever changed in place. A *watch* is one wish to follow a
// topic; several may follow the same one. Its `stage` is
// - `wanted`: to be asked for;
// - `asked`: sent, and not answered yet. Events that come meanwhile are kept in `early`;
// - `reading`: events cannot tell what was missed, so the application reads afresh; they wait in `early`;
// - `live`: its position follows the events;
// - `deferred`: refused for the moment.
// It is `behind` from when the connection broke until it is live again.

/** Topics that one socket may watch, one's own included. */
export const ROOM = 100;
/** Topics in one command: half of what is allowed, so that with their positions they are no large message. */
export const GATHERED = 50;
/** Events that wait until it is known what came before them; when there are more, all is read afresh. */
export const EARLY = 1000;
/** Milliseconds until what could not be had just now is asked for again. */
export const AGAIN = 2000;

const GONE = new Set(["NOT_FOUND", "FORBIDDEN"]);

/**
 * `way` is how the session is live: `websocket`, `polling`, `rest`, or null while there is none. `own` is
 * one's own topic, null for visitors and before it is known; `held` are the topics that the gateway was asked
 * for on this connection; `count` numbers questions.
 */
export const INITIAL = { way: null, epoch: null, own: null, watches: {}, held: [], count: 0, polling: null };

/** `websocket`, `polling` or `rest` while live; `catching-up` until all that is watched is; else `offline`. */
export function status(state) {
  if (state.way === null) return "offline";
  const wanted = within(state);
  const behind = Object.values(state.watches).some(
    (watch) => watch.behind && wanted.has(topicOf(state, watch)),
  );
  return behind ? "catching-up" : state.way;
}

/** Answers what becomes of `state` by `input`, and what is to be done: `[state, effects]`. */
export function reduce(state, input) {
  return STEPS[input.type](state, input);
}

const STEPS = {
  /** Somebody wishes to watch `topic` (null: one's own), from `since` or, where that is null, from now on. */
  watch(state, { id, topic, since = null }) {
    const behind = state.way === null;
    const watch = { topic, stage: "wanted", position: since, number: 0, early: [], behind };
    return [put(state, id, watch), [{ type: "soon" }]];
  },

  stop(state, { id }) {
    return [without(state, id), [{ type: "soon" }]];
  },

  /** The session is greeted: all that is watched is asked for from where it is known. */
  ready(state, { way, epoch, topic }) {
    const moved = topic !== state.own;
    const watches = each(state, (watch) => {
      const known = { ...wanted(watch), behind: true };
      return watch.topic === null && moved ? { ...known, position: null } : known;
    });
    const held = topic === null || way === "rest" ? [] : [topic];
    return gather({ ...state, way, epoch: epoch ?? state.epoch, own: topic, watches, held, polling: null });
  },

  upgraded(state, { way }) {
    return [state.way === null ? state : { ...state, way }, []];
  },

  /** The connection is gone, and with it all that the gateway knew of it. */
  down(state) {
    const watches = each(state, (watch) => ({ ...wanted(watch), behind: true }));
    return [{ ...state, way: null, watches, held: [], polling: null }, []];
  },

  /** Those that wished to watch or to stop within the last moment are brought together. */
  flush(state) {
    return gather(state);
  },

  event(state, { name, data, meta }) {
    const effects = [];
    let next = state;
    for (const [id, watch] of entries(state)) {
      if (topicOf(state, watch) !== meta.topic) continue;
      if (watch.stage === "live") next = put(next, id, apply(id, watch, [[name, data, meta]], effects));
      else if (watch.stage === "asked" || watch.stage === "reading") {
        const kept = watch.early.length < EARLY;
        if (!kept) effects.push({ type: "soon" });
        next = put(next, id, kept ? { ...watch, early: [...watch.early, [name, data, meta]] } : wanted(watch));
      }
    }
    return [next, effects];
  },

  /** `answers[i]` is what the gateway says of the watch `ids[i]`, in answer to the question `number`. */
  answered(state, { number, ids, answers }) {
    const effects = [];
    let next = state.polling === number ? { ...state, polling: null } : state;
    ids.forEach((id, place) => {
      const watch = next.watches[id];
      if (watch?.number !== number || !(watch.stage === "asked" || watch.stage === "live")) return;
      const { error, ...answer } = answers[place];
      if (error) next = refused(next, id, watch, error, effects);
      else next = caughtUp({ ...next, epoch: answer.epoch }, id, watch, answer, effects);
    });
    if (next.way !== "rest" && Object.values(next.watches).some(({ stage }) => stage === "wanted")) {
      effects.push({ type: "soon" });
    }
    return [next, effects];
  },

  /** The question `number` was refused as a whole, or nobody answered. */
  unanswered(state, { number, ms = AGAIN }) {
    let next = state.polling === number ? { ...state, polling: null } : state;
    let some = false;
    for (const [id, watch] of entries(state)) {
      if (watch.stage !== "asked" || watch.number !== number) continue;
      next = put(next, id, { ...watch, stage: "deferred", early: [] });
      some = true;
    }
    return [next, some ? [{ type: "later", ms }] : []];
  },

  /** The application has read the topic's subject afresh, as of `position` (null: when it was asked to). */
  read(state, { id, number, position = null }) {
    const watch = state.watches[id];
    if (watch?.stage !== "reading" || watch.number !== number) return [state, []];
    const before = position !== null && (position.epoch !== watch.position.epoch || position.seq < watch.position.seq);
    if (before) return gather(put(state, id, { ...wanted(watch), position }));
    const effects = [];
    const live = { ...watch, position: position ?? watch.position };
    return [put(state, id, goLive(id, live, effects)), effects];
  },

  /** It could not read. */
  unread(state, { id, number, refusal }) {
    const watch = state.watches[id];
    if (watch?.stage !== "reading" || watch.number !== number) return [state, []];
    const effects = [];
    return [refused(state, id, { ...watch, position: null }, refusal, effects), effects];
  },

  /** What was deferred may be asked for again. */
  again(state) {
    return gather({ ...state, watches: each(state, (watch) => (watch.stage === "deferred" ? wanted(watch) : watch)) });
  },

  /**
   * Without a socket: the next topic to ask for. A new one comes first; then the one that was wished for last, which
   * is what is being looked at, every few turns; and in those between, the one asked for longest ago.
   */
  turn(state) {
    if (state.way !== "rest" || state.polling !== null) return [state, []];
    const candidates = entries(state).filter(
      ([, watch]) => topicOf(state, watch) !== null && (watch.stage === "wanted" || watch.stage === "live"),
    );
    if (!candidates.length) return [state, []];
    const last = candidates.at(-1);
    const due = (one) => {
      if (one[1].stage === "wanted") return Infinity;
      return (state.count - one[1].number) * (one === last ? candidates.length : 1);
    };
    const [id, watch] = candidates.reduce((best, one) => (due(one) > due(best) ? one : best));
    const number = state.count + 1;
    const asked = { ...watch, stage: watch.stage === "live" ? "live" : "asked", number };
    const next = { ...put(state, id, asked), count: number, polling: number };
    return [next, [{ type: "poll", number, id, topic: topicOf(state, watch), since: watch.position }]];
  },
};

/** Unwatches what nobody wants, and watches what is wanted, in as few commands as there can be. */
function gather(state) {
  if (state.way === null || state.way === "rest") return [state, []];
  const topics = within(state);
  const effects = [];
  const going = state.held.filter((topic) => !topics.has(topic) && topic !== state.own);
  // Leaving first keeps a long scroll below the number of topics that one socket may watch.
  if (going.length) effects.push({ type: "unwatch", topics: going });
  const held = new Set(state.held.filter((topic) => !going.includes(topic)));
  const asking = new Map(); // topic → id: the same topic twice goes into two commands
  let next = state;
  for (const [id, watch] of entries(state)) {
    const topic = topicOf(state, watch);
    if (!topics.has(topic)) next = put(next, id, wanted(watch));
    else if (watch.stage === "wanted" && !asking.has(topic)) asking.set(topic, id);
  }
  let { count } = state;
  const coming = [...asking];
  for (let from = 0; from < coming.length; from += GATHERED) {
    count += 1;
    const some = coming.slice(from, from + GATHERED);
    effects.push({
      type: "watch",
      number: count,
      ids: some.map(([, id]) => id),
      topics: some.map(([topic, id]) => {
        const { position } = state.watches[id];
        return position === null ? { topic } : { topic, since: position };
      }),
    });
    for (const [topic, id] of some) {
      held.add(topic);
      next = put(next, id, { ...next.watches[id], stage: "asked", number: count, early: [] });
    }
  }
  return [{ ...next, held: [...held], count }, effects];
}

/** What a watch comes to when the gateway has answered. */
function caughtUp(state, id, watch, { epoch, seq, recovered, events }, effects) {
  const { position: since } = watch;
  if (since === null || !recovered || since.epoch !== epoch) {
    const number = state.count + 1;
    const position = { epoch, seq };
    effects.push({ type: "refetch", id, number, position, before: since });
    return { ...put(state, id, { ...watch, stage: "reading", number, position }), count: number };
  }
  const told = apply(id, watch, events, effects);
  const position = { epoch, seq: Math.max(told.position.seq, seq) };
  return put(state, id, goLive(id, { ...told, position }, effects));
}

function goLive(id, watch, effects) {
  return apply(id, { ...watch, stage: "live", behind: false, early: [] }, watch.early, effects);
}

function refused(state, id, watch, refusal, effects) {
  if (GONE.has(refusal.code)) {
    effects.push({ type: "gone", id, refusal });
    return without(state, id);
  }
  const seconds = refusal.retry_after ?? AGAIN / 1000;
  effects.push({ type: "later", ms: seconds * 1000 });
  return put(state, id, { ...watch, stage: "deferred", early: [] });
}

/** Tells those of `events` that are news to the watch, and moves its position along. */
function apply(id, watch, events, effects) {
  let { position } = watch;
  for (const [name, data, meta] of events) {
    if (meta.seq !== undefined) {
      if (meta.seq <= position.seq) continue;
      position = { ...position, seq: meta.seq };
    }
    effects.push({ type: "tell", id, name, data, meta });
  }
  return { ...watch, position };
}

/** Back to where it has to be asked for. What was to be read afresh is not known. */
function wanted(watch) {
  const position = watch.stage === "reading" ? null : watch.position;
  return { ...watch, stage: "wanted", position, early: [] };
}

/** The topics that there is room for: those that were wished for last. */
function within(state) {
  const topics = new Set(state.own === null ? [] : [state.own]);
  for (const [, watch] of entries(state).reverse()) {
    if (topics.size === ROOM && state.way !== "rest") break;
    const topic = topicOf(state, watch);
    if (topic !== null) topics.add(topic);
  }
  return topics;
}

function topicOf(state, watch) {
  return watch.topic ?? state.own;
}

/** `[id, watch]` of all, in the order in which they were wished for: ids are rising numbers. */
function entries(state) {
  return Object.entries(state.watches).map(([id, watch]) => [Number(id), watch]);
}

function each(state, change) {
  return Object.fromEntries(entries(state).map(([id, watch]) => [id, change(watch)]));
}

function put(state, id, watch) {
  return { ...state, watches: { ...state.watches, [id]: watch } };
}

function without(state, id) {
  const { [id]: _, ...watches } = state.watches;
  return { ...state, watches };
}

// What /metrics says at a moment, and what happened between two such moments. Pure.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const PREFIX = "vernissage_";

/** One reading of Prometheus' text; names are given without their prefix. */
export class Reading {
  /** `at` is when it was taken, in seconds. */
  constructor(text, at) {
    this.at = at;
    this.samples = new Map();
    for (const line of text.split("\n")) {
      const [, name, labels = "", value] = LINE.exec(line) ?? [];
      if (!name?.startsWith(PREFIX)) continue;
      const sample = { labels: Object.fromEntries(Array.from(labels.matchAll(LABEL), ([, key, text]) => [key, text])), value: number(value) };
      const key = name.slice(PREFIX.length);
      if (!this.samples.has(key)) this.samples.set(key, []);
      this.samples.get(key).push(sample);
    }
  }

  /** The samples of that name that have all these labels. */
  all(name, labels = {}) {
    const wanted = Object.entries(labels);
    return (this.samples.get(name) ?? []).filter((each) => wanted.every(([key, value]) => each.labels[key] === value));
  }

  /** These samples added up; 0 where there are none. */
  sum(name, labels) {
    return this.all(name, labels).reduce((sum, each) => sum + each.value, 0);
  }

  /** The values that a label has. */
  values(name, label) {
    return [...new Set(this.all(name).map((each) => each.labels[label]))];
  }
}

/** What happened between two readings. Without anything to tell of, a quantile or mean is null. */
export class Span {
  constructor(before, now) {
    this.before = before;
    this.now = now;
    this.seconds = now.at - before.at;
  }

  growth(name, labels) {
    return this.now.sum(name, labels) - this.before.sum(name, labels);
  }

  /** Per second. */
  rate(name, labels) {
    return this.growth(name, labels) / this.seconds;
  }

  /** Of a histogram. */
  mean(name, labels) {
    const count = this.growth(`${name}_count`, labels);
    return count > 0 ? this.growth(`${name}_sum`, labels) / count : null;
  }

  /** Of a histogram: as Prometheus reckons it, straight between two bounds. */
  quantile(share, name, labels) {
    const bounds = this.now.values(`${name}_bucket`, "le").sort((one, other) => number(one) - number(other));
    const counts = bounds.map((le) => this.growth(`${name}_bucket`, { ...labels, le }));
    const all = counts.at(-1) ?? 0;
    if (all <= 0) return null;
    const place = counts.findIndex((count) => count >= share * all);
    const [low, below] = place ? [number(bounds[place - 1]), counts[place - 1]] : [0, 0];
    const high = number(bounds[place]);
    if (high === Infinity) return low;
    return low + ((high - low) * (share * all - below)) / (counts[place] - below || 1);
  }
}

function number(text) {
  return text === "+Inf" ? Infinity : Number(text);
}

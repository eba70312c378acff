// Numbers as people read them, at most three figures each.

const few = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const many = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
const NOTHING = "–";

/** A count, or a rate: 0, 0.25, 17.3, 9,410, 1.2M. */
export function count(number) {
  if (number == null) return NOTHING;
  return number < 100_000 ? few.format(number < 1000 ? number : Math.round(number)) : many.format(number);
}

/** Seconds: 0.8 ms, 12 ms, 2.5 s. */
export function seconds(number) {
  if (number == null) return NOTHING;
  return number < 1 ? `${few.format(number * 1000)} ms` : `${few.format(number)} s`;
}

/** Bytes: 84 MB. */
export function bytes(number) {
  return number < 1e9 ? `${few.format(number / 1e6)} MB` : `${few.format(number / 1e9)} GB`;
}

/** A share of one: 12 %. */
export function percent(number) {
  return number == null ? NOTHING : `${few.format(number * 100)} %`;
}

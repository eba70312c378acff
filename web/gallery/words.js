// How numbers, times and names are said.

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
export const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** `just now`, `5 min. ago`, or the day when it is more than a week past. */
export function ago(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  if (seconds > 7 * 86400) return DAY.format(new Date(time));
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return RELATIVE.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

/** `1`, `999`, `1.2K`. */
export function count(number) {
  return COMPACT.format(number);
}

/** `1 like`, `2 likes`. */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** What a work of each type is called. */
export const MEDIUM = {
  twitch_emote: "Emote",
  youtube_thumbnail: "Thumbnail",
  twitch_banner: "Banner",
  twitch_badge: "Badge",
  overlay: "Overlay",
  twitch_panel: "Panel",
  twitch_offline: "Offline screen",
};

export const MEDIA = {
  twitch_emote: "Emotes",
  youtube_thumbnail: "Thumbnails",
  twitch_banner: "Banners",
  twitch_badge: "Badges",
  overlay: "Overlays",
  twitch_panel: "Panels",
  twitch_offline: "Offline screens",
};

export const REASONS = {
  spam: "Spam",
  inappropriate: "Inappropriate",
  copyright: "Somebody else’s work",
  harassment: "Harassment",
  other: "Something else",
};

const DEEDS = {
  post_liked: ["liked", true],
  post_commented: ["commented on", true],
  post_inspired: ["were inspired by", true],
  user_followed: ["now follow you", false],
};

/** One line that says what a notification tells: `Bob and 2 others liked “Dusk”`. */
export function saying({ kind, subject, actors, count: times }) {
  const [deed, names] = DEEDS[kind];
  const others = kind === "post_commented" ? 0 : times - 1;
  const first = actors[0]?.display_name ?? "Somebody";
  const who = others > 0 ? `${first} and ${plural(others, "other")}` : first;
  const verb = others > 0 ? deed : deed.replace("were ", "was ").replace("follow ", "follows ");
  const often = kind === "post_commented" && times > 1 ? ` (${times} comments)` : "";
  return names ? `${who} ${verb} “${subject.title ?? "your work"}”${often}` : `${who} ${verb}`;
}

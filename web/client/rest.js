// One request to the gateway, and how it says no.

/** The gateway said no, in the words of its error catalogue: `code`, a sentence, `details`. */
export class Refusal extends Error {
  constructor({ code, message, details = {}, retry_after: retryAfter = null }) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.details = details;
    this.retryAfter = retryAfter;
  }

  /** The sentence to show. */
  get sentence() {
    if (this.retryAfter == null) return this.message;
    return `${this.message} Try again in ${Math.max(1, Math.ceil(this.retryAfter))} s.`;
  }
}

/** Nobody answered: the network or the gateway is away. */
export const UNREACHABLE = "UNREACHABLE";

/** How long a read waits altogether, in seconds, where the gateway says that one reads too fast. */
const PATIENCE = 10;

/** Milliseconds in which an answer has to begin. */
const ANSWERED = 15_000;

export function unreachable() {
  return new Refusal({ code: UNREACHABLE, message: "The gateway cannot be reached right now." });
}

/**
 * Calls the gateway; answers its JSON, raises Refusal. A GET that came too fast is sent again. `paced(left)` is told
 * how many requests the gateway would take at once after this one.
 */
export async function request(method, url, { patience = PATIENCE, ...options } = {}) {
  let left = patience;
  for (;;) {
    try {
      return await requestOnce(method, url, options);
    } catch (refusal) {
      if (method !== "GET" || refusal.code !== "RATE_LIMITED" || refusal.retryAfter > left) throw refusal;
      const wait = Math.max(refusal.retryAfter, 0.1);
      left -= wait;
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    }
  }
}

async function requestOnce(method, url, { body, token, paced }) {
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWERED),
    });
  } catch {
    throw unreachable();
  }
  const pace = /"pace";r=(\d+)/.exec(response.headers.get("RateLimit") ?? "");
  if (pace) paced?.(Number(pace[1]));
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  const retryAfter = response.headers.get("Retry-After");
  throw new Refusal({
    code: answer?.code ?? `HTTP_${response.status}`,
    message: answer?.detail ?? answer?.title ?? `The gateway answered ${response.status}.`,
    details: answer?.details ?? {},
    retry_after: retryAfter === null ? null : Number(retryAfter),
  });
}

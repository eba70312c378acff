// The client library's own types. What commands take and answer, and what events tell, is in
// vernissage.d.ts.

import type {
  Acks,
  Commands,
  Expiry,
  Position,
  Post,
  Profile,
  Ready,
  ToldEvent,
  UserSummary,
} from "./vernissage.js";

/** How the client is connected. `catching-up`: it is, and not all topics are up to date yet. */
export type Status = "websocket" | "polling" | "rest" | "catching-up" | "offline";

/** The commands that are one's own to send; topics and tokens the client looks after. */
export type Command = Exclude<keyof Commands, "topic:watch" | "topic:unwatch" | "auth:refresh">;

/** What a command takes: nothing has to be said where all of it may be left out. */
export type Payload<C extends Command> = object extends Commands[C] ? [payload?: Commands[C]] : [payload: Commands[C]];

/** The gateway said no. `retryAfter` is in seconds, null where waiting does not help. */
export class Refusal extends Error {
  constructor(refused: { code: string; message: string; details?: Record<string, unknown>; retry_after?: number | null });
  readonly code: string;
  readonly details: Record<string, unknown>;
  readonly retryAfter: number | null;
  /** The sentence to show. */
  get sentence(): string;
}

/** The code of a Refusal where nobody answered. */
export const UNREACHABLE: "UNREACHABLE";

/** A UUIDv7, for what a command makes. */
export function newId(): string;

export interface ClientOptions {
  /** The gateway's origin; where the library came from, if that is left out. */
  url?: string;
  token?: string | null;
  /** A new token, or null for a visitor. Rejects where there is none for now: with UNAUTHENTICATED, for good. */
  getToken?: (() => Promise<string | null> | string | null) | null;
  /** The official client's `io`, where the one that comes with the library cannot run. */
  io?: (url: string, options: any) => any;
  transports?: ("polling" | "websocket")[];
}

/** Follows a topic. */
export interface Watcher {
  /** Up to where the topic is known. */
  since?: Position | null;
  /** Takes the next event, each once and in order. */
  event(...told: ToldEvent): void;
  /** Events cannot tell what happened since `before`: reads afresh, and answers how far that goes. */
  refetch?(lost: { position: Position; before: Position | null }): unknown;
  /** The topic may not be watched, or is no more. */
  gone?(refusal: Refusal): void;
}

export interface ClientEvents {
  status: Event;
  greeted: CustomEvent<Pick<Ready, "user" | "epoch" | "topic"> & Partial<Expiry>>;
  ended: CustomEvent<Refusal>;
}

/** A connection to the gateway that stays. */
export class Client extends EventTarget {
  constructor(options?: ClientOptions);
  get status(): Status;
  /** The history that positions belong to; null until the first session. */
  get epoch(): string | null;
  /** Who one is; null for visitors and before the first session. */
  get user(): UserSummary | null;
  connect(): void;
  close(): void;
  /** From now on one is whom the token names: null for a visitor; left out, `getToken` is asked. */
  identify(token?: string | null): void;
  /** Ends the token, or with `everywhere` all tokens of the user: one is a visitor then. Raises Refusal. */
  signOut(how?: { everywhere?: boolean }): Promise<void>;
  /** Follows a topic; answers how to stop that. */
  watch(topic: string, watcher: Watcher): () => void;
  /** Follows one's own topic, whoever one is at the time. */
  watchOwn(watcher: Watcher): () => void;
  /** Carries out a command; raises Refusal. */
  command<C extends Command>(event: C, ...payload: Payload<C>): Promise<Acks[C]>;
  /** Sends a request; raises Refusal. `path` begins with `/`. */
  request<T = unknown>(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    content?: { body?: unknown; query?: Record<string, unknown> },
  ): Promise<T>;
  addEventListener<E extends keyof ClientEvents>(
    type: E,
    listener: (event: ClientEvents[E]) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
}

export interface PostsOptions {
  /** Reads these posts afresh and gives them to `take`; else each is asked for by itself. */
  refetch?(ids: string[]): unknown;
  /** Something happened to a watched post. */
  event?(id: string, ...told: ToldEvent): void;
  /** A watched post may not be seen any more, or is no more. */
  gone?(id: string): void;
}

/** Posts, each kept as new as anything that was heard of it, with one's own likes counted in. */
export class Posts {
  constructor(client: Client, options?: PostsOptions);
  /** Takes a post as it was read in `epoch`: the client's before it was asked for. */
  take(post: Post, epoch?: string | null): void;
  /** The post as it is to be shown; null for one that was never taken. */
  get(id: string): Post | null;
  /** How many watch the post, as far as that is known. */
  viewers(id: string): number;
  /** Calls `reader` after every change; answers how to stop that. */
  read(id: string, reader: () => void): () => void;
  /** Keeps a post up to date as long as anybody wishes it; answers how to wish that no more. */
  watch(id: string): () => void;
  /** Likes a post, or no longer: shown at once, and taken back where the gateway refuses. Raises Refusal. */
  like(id: string, liked: boolean): Promise<void>;
}

/** What is known of creators: whether one follows them, and how many do. */
export class Follows {
  constructor(client: Client);
  /** Reads a creator's profile; raises Refusal. */
  fetch(userId: string): Promise<Profile>;
  /** The profile as it is to be shown; null for one that was never read. */
  get(userId: string): Profile | null;
  /** Calls `reader` after every change; answers how to stop that. */
  read(userId: string, reader: () => void): () => void;
  /** Follows a creator, or no longer: shown at once, and taken back where the gateway refuses. Raises Refusal. */
  follow(userId: string, following: boolean): Promise<void>;
}

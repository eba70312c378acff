// Types of all commands, acks and events of a Vernissage gateway.
// Made from the operation table by `python -m tests.docs.inserts`: change them there.
//
//   import { io, type Socket } from "socket.io-client";
//   import type { ClientCommands, ServerEvents } from "./vernissage";
//
//   const socket: Socket<ServerEvents, ClientCommands> = io();
//   const { data, error } = await socket.emitWithAck("post:like", { post_id });

/** Topics that are not watched any more. */
export interface AllUnwatched {
  topics: Unwatched[];
}

/** Something a user made, which a post can share once. */
export interface Asset {
  id: string;
  user_id: string;
  asset_type: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail";
  url: string;
  prompt: string | null;
  created_at: string;
}

/** Whether a user may write; since when not, and why, if the moderator said. */
export interface Ban {
  user_id: string;
  is_banned: boolean;
  banned_at: string | null;
  banned_reason: string | null;
}

/** Whether a user is to be banned from writing, and why. A reason of nothing is none. */
export interface BanUser {
  user_id: string;
  banned: boolean;
  reason?: string | null;
}

/** Who shows a token, and the topic that is their own; both null for a visitor. */
export interface Bearer {
  user: UserSummary | null;
  topic: string | null;
}

/** Why the gateway ends the session: a client does not come back by itself. */
export interface Closing {
  code: string;
}

/** A comment as one reader sees it. */
export interface Comment {
  id: string;
  post_id: string;
  user_id: string;
  content: string;
  is_edited: boolean;
  created_at: string;
  updated_at: string;
  author: UserSummary;
  can_edit: boolean;
  can_delete: boolean;
}

/** A comment that is no more, and how many its post has left. */
export interface CommentGone {
  post_id: string;
  comment_id: string;
  comment_count: number;
}

/** The comments on a post, oldest first. */
export interface CommentQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  post_id: string;
}

/** Names a comment. */
export interface CommentRef {
  comment_id: string;
}

/** A comment as it stands now, and how many its post has. */
export interface CommentWritten {
  post_id: string;
  comment: SharedComment;
  comment_count: number;
}

/**
 * `url` is an http(s) URL, or a path of this gateway's own below `/media/`.
 *
 * A prompt of nothing is none. `id` is the client's own, a UUIDv7: then a retry makes no second
 * asset.
 */
export interface CreateAsset {
  asset_type: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail";
  url: string;
  prompt?: string | null;
  id?: string | null;
}

/** `id` may be made by the client (UUIDv7): then a retry is recognised as one. */
export interface CreateComment {
  post_id: string;
  content: string;
  id?: string | null;
}

/**
 * `id` is the client's own, a UUIDv7: sent again with the same body it makes no second post.
 *
 * A description of nothing is none. Tags are lower-cased, and each counts once.
 */
export interface CreatePost {
  asset_id: string;
  title: string;
  description?: string | null;
  tags?: string[];
  show_prompt?: boolean;
  inspired_by_post_id?: string | null;
  id?: string | null;
}

/** The `auth` of a CONNECT packet. */
export interface Credentials {
  token?: string | null;
  since?: Position | null;
}

/** Names a comment that is gone. */
export interface DeletedComment {
  comment_id: string;
}

/** Names a post that is gone. */
export interface DeletedPost {
  post_id: string;
}

/** `server:draining`: this server goes away, and closes the connection in so many milliseconds. */
export interface Draining {
  reconnect_in_ms: number;
}

/** How a post is received, and whether this reader likes it. */
export interface Engagement {
  like_count: number;
  comment_count: number;
  view_count: number;
  is_liked: boolean;
}

/** When the session's token expires. */
export interface Expiry {
  expires_at: string;
}

/** Whether a post is to be featured. */
export interface FeaturePost {
  post_id: string;
  featured: boolean;
}

/** What moderators have put forward. */
export interface FeaturedQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
}

/** One page of a feed. `total_count` may be up to a minute old. */
export interface FeedPage {
  posts: Post[];
  total_count: number;
  has_more: boolean;
  next_cursor: string | null;
}

/** A feed. A post has all of `tags`; `following` is for those who are signed in. */
export interface FeedQuery {
  feed_type?: "following" | "recent" | "trending";
  asset_type?: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail" | null;
  tags?: string | string[] | null;
  cursor?: string | null;
  limit?: number;
}

/** Those who follow a user, or whom a user follows. */
export interface FollowQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  user_id: string;
}

/** What a follow or unfollow came to. */
export interface Followed {
  user_id: string;
  following: boolean;
  changed: boolean;
  follower_count: number;
}

/** Who began or ceased to follow `user_id`, and how many do now. */
export interface FollowerCount {
  user_id: string;
  actor: UserSummary;
  follower_count: number;
}

/** Whether a post is to be hidden, and why. A reason of nothing is none. */
export interface HidePost {
  post_id: string;
  hidden: boolean;
  reason?: string | null;
}

/** A post's likes as of now. `actors` are the newest three likers, newest first. */
export interface LikeCount {
  post_id: string;
  like_count: number;
  actors: UserSummary[];
}

/** Who likes a post. */
export interface LikeQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  post_id: string;
}

/** What a like or unlike came to: `liked` is the state, `changed` the effect. */
export interface Liked {
  post_id: string;
  liked: boolean;
  changed: boolean;
  like_count: number;
  seq: number;
}

/**
 * The second argument of every event: its topic, its number there, and when it happened.
 *
 * Ephemeral events and those of the session have no `seq`.
 */
export interface Meta {
  topic: string | null;
  seq?: number;
  at: string;
}

/** Whoever asks. */
export interface Myself {
}

/**
 * Something happened, `count` times, to what is the receiver's own. `actors` are the newest, newest
 * first.
 */
export interface Notification {
  id: string;
  kind: "post_commented" | "post_inspired" | "post_liked" | "user_followed";
  subject: Subject;
  actors: UserSummary[];
  count: number;
  seen: boolean;
  created_at: string;
  updated_at: string;
}

/** One page of an inbox, and how many of all its notifications are unseen as of now. */
export interface NotificationPage {
  items: Notification[];
  total: number;
  page: number;
  limit: number;
  has_more: boolean;
  next_cursor: string | null;
  unseen_count: number;
}

/**
 * One page of a listing. `total` may be up to a minute old; `page` counts from 1.
 *
 * `next_cursor` is there exactly when `has_more` is true.
 */
export interface PageOfAsset {
  items: Asset[];
  total: number;
  page: number;
  limit: number;
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * One page of a listing. `total` may be up to a minute old; `page` counts from 1.
 *
 * `next_cursor` is there exactly when `has_more` is true.
 */
export interface PageOfComment {
  items: Comment[];
  total: number;
  page: number;
  limit: number;
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * One page of a listing. `total` may be up to a minute old; `page` counts from 1.
 *
 * `next_cursor` is there exactly when `has_more` is true.
 */
export interface PageOfPost {
  items: Post[];
  total: number;
  page: number;
  limit: number;
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * One page of a listing. `total` may be up to a minute old; `page` counts from 1.
 *
 * `next_cursor` is there exactly when `has_more` is true.
 */
export interface PageOfReport {
  items: Report[];
  total: number;
  page: number;
  limit: number;
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * One page of a listing. `total` may be up to a minute old; `page` counts from 1.
 *
 * `next_cursor` is there exactly when `has_more` is true.
 */
export interface PageOfUserSummary {
  items: UserSummary[];
  total: number;
  page: number;
  limit: number;
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * `cursor` is the `next_cursor` of the page before; `page` counts from 1, the first when left out.
 *
 * Raises VALIDATION_ERROR for a page that is too deep, or that stands beside a cursor.
 */
export interface PageQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
}

/** Where a client stands in a topic: the `seq` of the last entry it has, in that `epoch`. */
export interface Position {
  epoch: string;
  seq: number;
}

/**
 * A post as one reader sees it. `topic` and `seq` say where in its journal this was read.
 *
 * `inspired_by_post_id` is there for those who may see that post, `is_hidden` for its owner and
 * moderators only.
 */
export interface Post {
  id: string;
  user_id: string;
  asset_id: string;
  title: string;
  description: string | null;
  prompt_used: string | null;
  show_prompt: boolean;
  tags: string[];
  asset_type: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail";
  asset_url: string;
  like_count: number;
  comment_count: number;
  view_count: number;
  is_featured: boolean;
  created_at: string;
  updated_at: string;
  author: UserSummary;
  inspired_by_post_id: string | null;
  is_liked: boolean;
  topic: string;
  seq: number;
  is_hidden?: boolean;
}

/** A post that may not be seen any more, or is no more. */
export interface PostGone {
  post_id: string;
}

/** A post on its own page, with the trending score of this moment. */
export interface PostInDetail {
  id: string;
  user_id: string;
  asset_id: string;
  title: string;
  description: string | null;
  prompt_used: string | null;
  show_prompt: boolean;
  tags: string[];
  asset_type: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail";
  asset_url: string;
  like_count: number;
  comment_count: number;
  view_count: number;
  is_featured: boolean;
  created_at: string;
  updated_at: string;
  author: UserSummary;
  inspired_by_post_id: string | null;
  is_liked: boolean;
  topic: string;
  seq: number;
  is_hidden?: boolean;
  trending_score: number;
}

/** Posts in some order. A post has any of `tags`; `search` is over title and description, stemmed. */
export interface PostQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  sort?: "most_liked" | "recent" | "trending";
  asset_type?: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail" | null;
  tags?: string | string[] | null;
  user_id?: string | null;
  search?: string | null;
}

/** Names a post. */
export interface PostRef {
  post_id: string;
}

/** A post as it stands now. */
export interface PostWritten {
  post: SharedPost;
}

/** A creator as one reader sees them. */
export interface Profile {
  user: UserSummary;
  stats: Stats;
  is_following: boolean;
  joined_at: string;
}

/** `session:ready`: the first event of every connection. */
export interface Ready {
  user: UserSummary | null;
  epoch: string | null;
  topic: string | null;
  seq: number | null;
  recovered: boolean;
  expires_at: string | null;
  node: string;
}

/** A token to go on with. */
export interface Refresh {
  token: string;
}

/** Why something was not done. `retry_after` is in seconds, where waiting helps. */
export interface Refused {
  code: Code;
  message: string;
  details: Record<string, unknown>;
  retry_after?: number;
}

/** What somebody finds wrong with a post, and what became of it. */
export interface Report {
  id: string;
  post_id: string;
  reporter: UserSummary;
  reason: "copyright" | "harassment" | "inappropriate" | "other" | "spam";
  details: string | null;
  status: "actioned" | "dismissed" | "pending" | "reviewed";
  reviewed_by: string | null;
  reviewed_at: string | null;
  created_at: string;
}

/**
 * What is wrong with a post. Details of nothing are none.
 *
 * `id` is the client's own, a UUIDv7: then a retry is recognised as one.
 */
export interface ReportPost {
  post_id: string;
  reason: "copyright" | "harassment" | "inappropriate" | "other" | "spam";
  details?: string | null;
  id?: string | null;
}

/** Reports, newest first: those of one status, or all. */
export interface ReportQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  status?: "actioned" | "dismissed" | "pending" | "reviewed" | null;
}

/** Names a report that was taken. */
export interface Reported {
  report_id: string;
}

/** What becomes of a report, and whether its post is to be hidden. */
export interface ReviewReport {
  report_id: string;
  status: "actioned" | "dismissed" | "reviewed";
  hide_post?: boolean;
}

/**
 * Which tokens are to be good no longer: the one named `jti`, or `everywhere` all issued until now.
 *
 * With neither it is the token that this is asked with. `user_id` is somebody else's, which takes
 * an admin.
 */
export interface Revoke {
  user_id?: string | null;
  jti?: string | null;
  everywhere?: boolean;
}

/**
 * Whose tokens are good no longer: the one named `jti`, or all that were issued before
 * `valid_after`.
 */
export interface Revoked {
  user_id: string;
  jti: string | null;
  valid_after: string | null;
}

/** Posts by words in title and description, in the language of a web search. */
export interface SearchQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  q: string;
}

/**
 * Either some notifications, or all that changed last at `before` or earlier.
 *
 * Raises VALIDATION_ERROR where both are given, or neither.
 */
export interface See {
  ids?: string[] | null;
  before?: string | null;
}

/** Which notifications were unseen until now, and how many still are. */
export interface Seen {
  ids: string[];
  unseen_count: number;
}

/** A comment as everybody may see it: what events carry. */
export interface SharedComment {
  id: string;
  post_id: string;
  user_id: string;
  content: string;
  is_edited: boolean;
  created_at: string;
  updated_at: string;
  author: UserSummary;
}

/** A post as everybody may see it: what events carry. */
export interface SharedPost {
  id: string;
  user_id: string;
  asset_id: string;
  title: string;
  description: string | null;
  prompt_used: string | null;
  show_prompt: boolean;
  tags: string[];
  asset_type: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail";
  asset_url: string;
  like_count: number;
  comment_count: number;
  view_count: number;
  is_featured: boolean;
  created_at: string;
  updated_at: string;
  author: UserSummary;
}

/** A creator's counters. */
export interface Stats {
  user_id: string;
  post_count: number;
  total_likes_received: number;
  follower_count: number;
  following_count: number;
}

/** What a notification is about; a post has a title. */
export interface Subject {
  type: "post" | "user";
  id: string;
  title?: string;
}

/** Names a topic. */
export interface TopicRef {
  topic: string;
}

/** Names several topics. */
export interface TopicRefs {
  topics: TopicRef[];
}

/** One of several topics, which cannot be watched. */
export interface TopicRefused {
  error: Refused;
}

/**
 * Where a topic stands. If `recovered`, `events` is all that followed `since`, each `[name, data,
 * meta]`.
 */
export interface TopicWatched {
  topic: string;
  epoch: string;
  seq: number;
  recovered: boolean;
  events: ToldEvent[];
}

/** The answers for several topics, in their order. */
export interface TopicsWatched {
  topics: (TopicWatched | TopicRefused)[];
}

/** What is trending, of one type or of all. */
export interface TrendingQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  asset_type?: "overlay" | "twitch_badge" | "twitch_banner" | "twitch_emote" | "twitch_offline" | "twitch_panel" | "youtube_thumbnail" | null;
}

/** The trending lists begin anew, with `posts` posts as they stood at that time. */
export interface TrendingRefreshed {
  posts: number;
  refreshed_at: string;
}

/** A topic that is not watched any more. */
export interface Unwatched {
  topic: string;
}

/** What a comment is to say from now on. */
export interface UpdateComment {
  comment_id: string;
  content: string;
}

/**
 * What a post is to say from now on; what is left out stays as it is. A description of null is
 * none.
 */
export interface UpdatePost {
  post_id: string;
  title?: string;
  description?: string | null;
  tags?: string[];
  show_prompt?: boolean;
}

/** The posts of a user. */
export interface UserQuery {
  cursor?: string | null;
  page?: number | null;
  limit?: number;
  user_id: string;
}

/** Names a user. */
export interface UserRef {
  user_id: string;
}

/** How a user appears beside what they did. */
export interface UserSummary {
  id: string;
  display_name: string;
  avatar_url: string | null;
  subscription_tier: string;
}

/** How often a post has been viewed so far. */
export interface Viewed {
  post_id: string;
  view_count: number;
}

/** One topic to watch, from a position or from now on. */
export interface Watch {
  topic: string;
  since?: Position | null;
}

/** Several topics to watch, each from a position or from now on. */
export interface WatchMany {
  topics: Watch[];
}

/** How many watch a topic over all nodes, and up to 5 of the users among them, the newest first. */
export interface WhoIsHere {
  topic: string;
  viewers: number;
  sample: UserSummary[];
}

/** The codes of refusals. */
export type Code = "COMMUNITY_ALREADY_REPORTED" | "COMMUNITY_ALREADY_SHARED" | "COMMUNITY_ASSET_NOT_OWNED" | "COMMUNITY_COMMENT_NOT_FOUND" | "COMMUNITY_COMMENT_NOT_OWNED" | "COMMUNITY_EDIT_WINDOW_EXPIRED" | "COMMUNITY_INVALID_TAG" | "COMMUNITY_POST_NOT_FOUND" | "COMMUNITY_POST_NOT_OWNED" | "COMMUNITY_REPORT_ALREADY_REVIEWED" | "COMMUNITY_SELF_FOLLOW" | "COMMUNITY_TOO_MANY_TAGS" | "COMMUNITY_USER_BANNED" | "COMMUNITY_USER_NOT_FOUND" | "FORBIDDEN" | "IDEMPOTENCY_CONFLICT" | "INTERNAL" | "INVALID_CURSOR" | "NOT_FOUND" | "OVERLOADED" | "RATE_LIMITED" | "TOKEN_EXPIRED" | "TOO_MANY_TOPICS" | "UNAUTHENTICATED" | "UNAVAILABLE" | "VALIDATION_ERROR";

/** What each command takes. */
export interface Commands {
  "session:get": Myself;
  "session:revoke": Revoke;
  "notification:page": PageQuery;
  "notification:see": See;
  "asset:create": CreateAsset;
  "asset:page": PageQuery;
  "post:create": CreatePost;
  "post:get": PostRef;
  "post:update": UpdatePost;
  "post:delete": PostRef;
  "post:view": PostRef;
  "post:page": PostQuery;
  "post:page_featured": FeaturedQuery;
  "post:page_trending": TrendingQuery;
  "post:search": SearchQuery;
  "post:page_mine": PageQuery;
  "post:page_liked": PageQuery;
  "post:page_following": PageQuery;
  "post:page_of_user": UserQuery;
  "feed:page": FeedQuery;
  "post:like": PostRef;
  "post:unlike": PostRef;
  "post:get_engagement": PostRef;
  "user:page_likers": LikeQuery;
  "comment:page": CommentQuery;
  "comment:create": CreateComment;
  "comment:update": UpdateComment;
  "comment:delete": CommentRef;
  "user:get": UserRef;
  "user:page_followers": FollowQuery;
  "user:page_following": FollowQuery;
  "user:follow": UserRef;
  "user:unfollow": UserRef;
  "post:report": ReportPost;
  "report:page": ReportQuery;
  "report:review": ReviewReport;
  "post:feature": FeaturePost;
  "post:hide": HidePost;
  "user:ban": BanUser;
  "topic:watch": Watch | WatchMany;
  "topic:unwatch": TopicRef | TopicRefs;
  "auth:refresh": Refresh;
}

/** The `data` of each command's ack. */
export interface Acks {
  "session:get": Bearer;
  "session:revoke": Revoked;
  "notification:page": NotificationPage;
  "notification:see": Seen;
  "asset:create": Asset;
  "asset:page": PageOfAsset;
  "post:create": Post;
  "post:get": PostInDetail;
  "post:update": Post;
  "post:delete": DeletedPost;
  "post:view": Viewed;
  "post:page": PageOfPost;
  "post:page_featured": PageOfPost;
  "post:page_trending": PageOfPost;
  "post:search": PageOfPost;
  "post:page_mine": PageOfPost;
  "post:page_liked": PageOfPost;
  "post:page_following": PageOfPost;
  "post:page_of_user": PageOfPost;
  "feed:page": FeedPage;
  "post:like": Liked;
  "post:unlike": Liked;
  "post:get_engagement": Engagement;
  "user:page_likers": PageOfUserSummary;
  "comment:page": PageOfComment;
  "comment:create": Comment;
  "comment:update": Comment;
  "comment:delete": DeletedComment;
  "user:get": Profile;
  "user:page_followers": PageOfUserSummary;
  "user:page_following": PageOfUserSummary;
  "user:follow": Followed;
  "user:unfollow": Followed;
  "post:report": Reported;
  "report:page": PageOfReport;
  "report:review": Report;
  "post:feature": Post;
  "post:hide": Post;
  "user:ban": Ban;
  "topic:watch": TopicWatched | TopicsWatched;
  "topic:unwatch": Unwatched | AllUnwatched;
  "auth:refresh": Expiry;
}

/** The data of each event; null in a replay, where its subject is gone. */
export interface Events {
  "notification:created": Notification | null;
  "notification:updated": Notification | null;
  "post:liked": LikeCount | null;
  "post:unliked": LikeCount | null;
  "post:viewed": Viewed;
  "presence:changed": WhoIsHere;
  "comment:created": CommentWritten | null;
  "comment:updated": CommentWritten | null;
  "comment:deleted": CommentGone | null;
  "post:updated": PostWritten | null;
  "post:hidden": PostGone | null;
  "post:deleted": PostGone | null;
  "post:created": PostWritten | null;
  "post:featured": PostWritten | null;
  "trending:refreshed": TrendingRefreshed | null;
  "user:followed": FollowerCount | null;
  "user:unfollowed": FollowerCount | null;
  "feed:post_created": PostWritten;
  "session:ready": Ready;
  "auth:expiring": Expiry;
  "session:closing": Closing;
  "server:draining": Draining;
}

/** An event as `topic:watch` and `GET /topics/…/events` tell it. */
export type ToldEvent = {
  [E in keyof Events]: [name: E, data: Events[E], meta: Meta];
}[keyof Events];

/** What an ack has: `data` of what was done, or why nothing was. */
export type Answer<T> = { data: T; error?: undefined } | { data?: undefined; error: Refused };

/** For `Socket<ServerEvents, ClientCommands>`: what the gateway sends. */
export type ServerEvents = {
  [E in keyof Events]: (data: Events[E], meta: Meta) => void;
};

/** For `Socket<ServerEvents, ClientCommands>`: what the client sends, and how it is answered. */
export type ClientCommands = {
  [C in keyof Commands]: (command: Commands[C], ack: (answer: Answer<Acks[C]>) => void) => void;
};

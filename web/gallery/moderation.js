// What moderators look at: reports, and the posts that they are about.

import { invitation } from "./account.js";
import { STATUSES, toCreator, toModeration, toPost } from "./addresses.js";
import { askToBan } from "./creator.js";
import { h, time, toast } from "./dom.js";
import { attempt, explain, picture } from "./work.js";
import { MEDIUM, REASONS } from "./words.js";

const PAGE = 10;
const NAMES = { pending: "Pending", reviewed: "Reviewed", actioned: "Acted on", dismissed: "Dismissed" };

export class Moderation {
  #services;
  #cursor = null;
  #turn = 0;
  #list = h("ol", { class: "reports" });
  #foot = h("div", { class: "end" });

  title = "Moderation";

  constructor(services, place) {
    this.#services = services;
    this.place = place;
    const tab = (status) => h("li", {}, h("a", { class: "chip", href: toModeration(status), "aria-current": place.status === status ? "page" : null }, NAMES[status]));
    this.element = h(
      "div",
      { class: "narrow" },
      h("h1", { class: "heading", tabindex: -1 }, "Reports"),
      h("ul", { class: "chips", "aria-label": "Reports by status" }, STATUSES.map(tab), h("li", {}, h("button", { class: "chip", type: "button", on: { click: () => this.begin() } }, "Look again"))),
      this.#list,
      this.#foot,
    );
  }

  async begin() {
    this.#turn += 1;
    this.#cursor = null;
    this.#list.replaceChildren();
    if (!this.#services.session.moderates) {
      this.#foot.replaceChildren(invitation("This room is for moderators. Sign in as one of them to see it."));
      return;
    }
    await this.#more();
  }

  refetch() {
    return this.begin();
  }

  takeDown() {}
  focus() {
    return false;
  }
  gallery() {}
  own() {}
  end() {
    this.#turn += 1;
  }

  async #more() {
    const turn = this.#turn;
    const { reading } = this.#services;
    this.#foot.replaceChildren(h("p", { class: "empty", role: "status" }, "One moment …"));
    try {
      const page = await reading.reports(this.place.status, { cursor: this.#cursor, limit: PAGE });
      const found = await this.#postsOf(page.items);
      if (turn !== this.#turn) return;
      this.#list.append(...page.items.map((report) => this.#row(report, found.get(report.post_id))));
      this.#cursor = page.next_cursor;
      if (!this.#list.children.length) this.#foot.replaceChildren(this.#nothing());
      else if (page.next_cursor) this.#foot.replaceChildren(h("button", { class: "quiet", type: "button", on: { click: () => this.#more() } }, "More"));
      else this.#foot.replaceChildren();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#foot.replaceChildren(h("p", { class: "empty" }, error.sentence ?? "Something went wrong."));
      if (error.code === undefined) throw error;
    }
  }

  #nothing() {
    return h("p", { class: "empty" }, this.place.status === "pending" ? "Nothing to do. Look at the works instead." : "No reports here.");
  }

  /** The posts that the reports are about, those that are still there. */
  async #postsOf(reports) {
    const { reading, posts, client } = this.#services;
    const { epoch } = client;
    const ids = [...new Set(reports.map(({ post_id: id }) => id))];
    const found = await Promise.all(ids.map((id) => reading.post(id).catch(missing)));
    for (const post of found) if (post) posts.take(post, epoch);
    return new Map(ids.map((id, place) => [id, found[place]]));
  }

  #row(report, post) {
    const element = h("li", { class: "report", data: { report: report.id } });
    const settled = report.status !== "pending";
    const act = (word, status, hide = false) =>
      h("button", { class: hide ? "solid" : "quiet", type: "button", on: { click: () => this.#review(element, report, status, hide) } }, word);
    element.append(
      post ? h("a", { class: "thumb", href: toPost(post.id), tabindex: -1, "aria-hidden": "true", data: { kind: post.asset_type } }, h("span", { class: "frame" }, picture(post, "lazy"))) : h("span", { class: "thumb" }),
      h(
        "div",
        {},
        h("h2", {}, REASONS[report.reason]),
        h("p", {}, post ? [h("a", { class: "inline", href: toPost(post.id) }, post.title), `, ${MEDIUM[post.asset_type].toLowerCase()} by `, h("a", { class: "inline", href: toCreator(post.user_id) }, post.author.display_name), post.is_hidden && " (hidden)"] : "The post is gone."),
        report.details && h("blockquote", {}, report.details),
        h("p", { class: "soft" }, "Reported by ", h("a", { class: "inline", href: toCreator(report.reporter.id) }, report.reporter.display_name), ", ", time(report.created_at), settled && `. ${NAMES[report.status]}`, settled && report.reviewed_at && [" ", time(report.reviewed_at)]),
        h(
          "p",
          { class: "acts" },
          !settled && [post && !post.is_hidden && act("Hide the post", "actioned", true), act("Fine as it is", "dismissed"), act("Seen", "reviewed")],
          post && h("button", { class: "tool", type: "button", on: { click: () => askToBan(this.#services, post.author) } }, "Ban the creator"),
        ),
      ),
    );
    return element;
  }

  #review(element, report, status, hide) {
    return attempt(async () => {
      try {
        await this.#services.client.command("report:review", { report_id: report.id, status, hide_post: hide });
        toast(hide ? "The post is hidden." : "Settled.");
      } catch (error) {
        if (error.code !== "COMMUNITY_REPORT_ALREADY_REVIEWED") throw error;
        explain(error);
      }
      element.remove();
      if (!this.#list.children.length) await this.begin();
    });
  }
}

function missing(error) {
  if (error.code !== "COMMUNITY_POST_NOT_FOUND") throw error;
  return null;
}

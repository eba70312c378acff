// Sharing a work: something new by its address, or something of one's own that was not shared yet.

import { invitation } from "./account.js";
import { toPost } from "./addresses.js";
import { h, pictureUrl, toast } from "./dom.js";
import { area, field, input, select, sending, tick } from "./forms.js";
import { newId } from "../client/index.js";
import { split } from "./tools.js";
import { attempt } from "./work.js";
import { MEDIUM } from "./words.js";

const OWN = 200; // assets and posts that are looked through for what is not shared yet

export class Share {
  #services;
  #go;
  #inspiredBy;
  #chosen = null; // the asset to share; null for a new one
  #made = null; // { id, asset } of the asset that was sent, for sending it again under the same id
  #posted = null; // likewise the post
  #type = field("asset_type", "Type", select(MEDIUM));
  #url = field("url", "Address of the picture", input({ type: "url", inputmode: "url", maxlength: 2000, placeholder: "https://", required: true }), "Where the picture is on the web, or its path below /media/ here.");
  #prompt = field("prompt", "Prompt", area({ maxlength: 4000, rows: 2 }), "What you asked for, if a machine helped you.");
  #title = field("title", "Title", input({ maxlength: 100, required: true }));
  #description = field("description", "Description", area({ maxlength: 500 }));
  #tags = field("tags", "Tags", input({ autocapitalize: "none", placeholder: "night colour-study" }), "Up to five, with spaces between.");
  #showPrompt = tick("Show the prompt to others", true);
  #shelf = h("ul", { class: "shelf" });
  #own = h("fieldset", { class: "own", hidden: true }, h("legend", {}, "Yours, and not shared yet"), this.#shelf);
  #new = h("fieldset", {}, h("legend", {}, "Something new"), this.#type.element, this.#url.element, this.#prompt.element);
  #preview = h("figure", { class: "preview", "aria-label": "Preview" });
  #source = h("p", { class: "soft" });

  title = "Share a work";

  /** `go(href)` leads to the post once it is shared. */
  constructor(services, place, go) {
    this.#services = services;
    this.place = place;
    this.#go = go;
    this.#inspiredBy = place.inspiredBy;
    this.element = h("div", { class: "narrow" }, h("h1", { class: "heading", tabindex: -1 }, this.title));
  }

  async begin() {
    const { session } = this.#services;
    this.element.replaceChildren(this.element.firstChild);
    if (!session.user) {
      this.element.append(invitation("Sign in to share what you made."));
      return;
    }
    const form = h(
      "form",
      { class: "form share" },
      h("div", { class: "columns" }, h("div", {}, this.#own, this.#new, h("fieldset", {}, h("legend", {}, "Its label"), this.#title.element, this.#description.element, this.#tags.element, this.#showPrompt.element, this.#source)), this.#preview),
      h("button", { class: "solid" }, "Share"),
    );
    this.element.append(form);
    const fields = [this.#type, this.#url, this.#prompt, this.#title, this.#description, this.#tags];
    sending(form, fields, () => this.#send());
    this.#url.control.addEventListener("change", () => this.#look());
    this.#type.control.addEventListener("change", () => this.#look());
    this.#look();
    await Promise.all([attempt(() => this.#fillShelf()), attempt(() => this.#nameSource())]);
  }

  refetch() {}
  takeDown() {}
  focus() {
    return false;
  }
  gallery() {}
  own() {}
  end() {}

  async #fillShelf() {
    const { reading } = this.#services;
    const [assets, posts] = await Promise.all([reading.myAssets(OWN), reading.mine(OWN)]);
    const shared = new Set(posts.map(({ asset_id: id }) => id));
    const free = assets.filter(({ id }) => !shared.has(id));
    this.#own.hidden = free.length === 0;
    this.#shelf.replaceChildren(...free.map((asset) => h("li", {}, this.#pick(asset))));
  }

  #pick(asset) {
    const choose = (event) => {
      this.#chosen = event.target.checked ? asset : null;
      for (const other of this.#shelf.querySelectorAll("input")) if (other !== event.target) other.checked = false;
      this.#new.hidden = this.#chosen !== null;
      this.#look();
    };
    const box = h("input", { type: "checkbox", class: "unseen", on: { change: choose } });
    const image = h("img", { src: pictureUrl(asset.url), alt: "", loading: "lazy" });
    return h("label", { class: "choice", data: { kind: asset.asset_type } }, box, h("span", { class: "frame" }, image), h("span", {}, MEDIUM[asset.asset_type]));
  }

  async #nameSource() {
    if (!this.#inspiredBy) return;
    const { posts, reading } = this.#services;
    const source = posts.get(this.#inspiredBy) ?? (await reading.post(this.#inspiredBy));
    const drop = () => {
      this.#inspiredBy = null;
      this.#source.replaceChildren();
    };
    this.#source.replaceChildren(
      "Inspired by ",
      h("a", { class: "inline", href: toPost(source.id) }, source.title),
      h("button", { class: "tool", type: "button", on: { click: drop } }, "Not so"),
    );
  }

  /** Shows the picture as it will hang. */
  #look() {
    const type = this.#chosen?.asset_type ?? this.#type.control.value;
    const address = this.#chosen?.url ?? this.#url.control.value.trim();
    this.#preview.dataset.kind = type;
    const url = address && address !== "https://" ? pictureUrl(address) : null;
    const note = (words) => h("span", { class: "frame" }, h("span", { class: "missing" }, words));
    if (!url) {
      this.#preview.replaceChildren(note(address ? "This is no address of a picture." : "Your picture will hang here."));
      return;
    }
    const image = h("img", { src: url, alt: "The picture that you are about to share" });
    image.addEventListener("error", () => this.#preview.replaceChildren(note("This picture does not load.")), { once: true });
    this.#preview.replaceChildren(h("span", { class: "frame" }, image));
  }

  async #send() {
    const { client, posts } = this.#services;
    const { epoch } = client;
    const asset = this.#chosen ?? (await this.#make());
    const post = {
      asset_id: asset.id,
      title: this.#title.control.value,
      description: this.#description.control.value,
      tags: split(this.#tags.control.value),
      show_prompt: this.#showPrompt.box.checked,
      ...(this.#inspiredBy ? { inspired_by_post_id: this.#inspiredBy } : {}),
    };
    this.#posted = kept(this.#posted, post);
    const shared = await client.command("post:create", { ...post, id: this.#posted.id });
    posts.take(shared, epoch);
    toast("It hangs.");
    this.#go(toPost(shared.id));
  }

  #make() {
    const asset = {
      asset_type: this.#type.control.value,
      url: this.#url.control.value.trim(),
      prompt: this.#prompt.control.value.trim() || null,
    };
    this.#made = kept(this.#made, asset);
    return this.#services.client.command("asset:create", { ...asset, id: this.#made.id });
  }
}

/** The id under which `body` was sent before, or a new one if it says something else by now. */
function kept(sent, body) {
  const text = JSON.stringify(body);
  return sent?.text === text ? sent : { id: newId(), text };
}


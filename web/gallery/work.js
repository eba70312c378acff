// The parts of a work's label that the wall and the room share.

import { h, icon, pictureUrl, toast } from "./dom.js";
import { Refusal } from "../client/index.js";
import { requireUser } from "./session.js";
import { count, plural } from "./words.js";

/** Shows a refusal's sentence; anything else is a fault of this page, and is raised again. */
export function explain(error) {
  if (!(error instanceof Refusal)) throw error;
  toast(error.sentence, "refusal");
}

/** Does something that the gallery may refuse; what it says then is shown. */
export async function attempt(deed) {
  try {
    await deed();
  } catch (error) {
    explain(error);
  }
}

/** The picture itself, or a note where it does not load. */
export function picture(post, loading) {
  const url = pictureUrl(post.asset_url);
  const missing = () => h("span", { class: "missing" }, "This picture is not available");
  if (!url) return missing();
  const image = h("img", { src: url, alt: post.title, loading, decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(missing()), { once: true });
  return image;
}

/**
 * The red dot that galleries put beside a work. It answers at once, and goes back if the gallery
 * refuses. `words` adds what it says for those who have room to read it.
 */
export function likeButton({ posts, session }, postId, words = false) {
  const number = h("span", { class: "number" });
  const word = words ? h("span", { class: "word" }) : null;
  const button = h("button", { class: "like", type: "button" }, h("span", { class: "dot" }), number, " ", word);
  let shown = null;

  function render() {
    const { is_liked: liked, like_count: likes } = posts.get(postId);
    button.setAttribute("aria-pressed", liked);
    button.setAttribute("aria-label", `${plural(likes, "like")}, ${liked ? "liked" : "like it"}`);
    button.title = liked ? "Take the like back" : "Like";
    if (shown !== null && shown !== likes) bump(number);
    shown = likes;
    number.textContent = count(likes);
    if (word) word.textContent = likes === 1 ? "like" : "likes";
  }

  button.addEventListener("click", () => {
    attempt(async () => {
      requireUser(session);
      await posts.like(postId, !posts.get(postId).is_liked);
    });
  });
  render();
  return { button, render };
}

/** An icon with a number beside it; `show(n)` changes the number. */
export function counter(name, noun) {
  const number = h("span", { class: "number" });
  const element = h("span", { class: "counter", data: { of: name } }, icon(name), number);
  return {
    element,
    show(value) {
      const text = count(value);
      if (number.textContent && number.textContent !== text) bump(number);
      number.textContent = text;
      element.title = plural(value, noun);
    },
  };
}

/** Lets a number that changed by itself catch the eye. */
function bump(number) {
  number.classList.remove("bumped");
  void number.offsetWidth; // restarts the animation
  number.classList.add("bumped");
}

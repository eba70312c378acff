// Light or dark: as the system says, until somebody chooses otherwise. Runs before the page is painted.

const KEY = "vernissage.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function wear(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}

wear(localStorage.getItem(KEY));

addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const now = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const tell = () => {
    const other = now() === "dark" ? "light" : "dark";
    button.dataset.now = now();
    button.setAttribute("aria-label", `Switch to ${other} walls`);
    button.title = `Switch to ${other} walls`;
  };
  button.addEventListener("click", () => {
    const chosen = now() === "dark" ? "light" : "dark";
    localStorage.setItem(KEY, chosen);
    wear(chosen);
    tell();
  });
  dark.addEventListener("change", tell);
  tell();
});

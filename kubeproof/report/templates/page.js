"use strict";
const form = document.getElementById("filter");
const nothing = document.getElementById("nothing");
const groups = document.querySelectorAll("[data-group]");
const checks = Array.from(document.querySelectorAll("[data-verdict]"), (mark) => {
  const failure = document.getElementById(mark.dataset.failure);
  const row = mark.closest("tr").querySelector("th");
  const component = mark.closest("tbody").querySelector(".component th");
  const step = failure?.closest(".step").querySelector("h3");
  const texts = [mark, row].map((one) => one.title).concat([component, failure, step].map((one) => one?.textContent));
  return { mark, failure, text: texts.join(" ").toLowerCase() };
});

function show() {
  const wanted = Object.fromEntries(new FormData(form));
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { mark, failure, text } of checks) {
    const chosen = ["verdict", "node", "area"].every((key) => !wanted[key] || mark.dataset[key] === wanted[key]);
    const hit = chosen && words.every((word) => text.includes(word));
    mark.hidden = !hit;
    if (failure) failure.hidden = !hit;
    shown += hit;
  }
  for (const rest of document.querySelectorAll(".rest")) rest.open = shown < checks.length;
  for (const group of groups) group.hidden = !group.querySelector(`${group.dataset.group}:not([hidden])`);
  if (nothing) nothing.hidden = shown > 0;
  form.querySelector("output").textContent = `${shown} of ${checks.length} checks`;
}

function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  for (let folded = target?.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
  target?.scrollIntoView();
}

form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(show));
addEventListener("hashchange", reveal);
addEventListener("beforeprint", () => document.querySelectorAll(".failure, .source, .rest").forEach((one) => { one.open = true; }));
if (location.hash) reveal();

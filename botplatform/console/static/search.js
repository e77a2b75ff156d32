// The search form: what the platform is asked for, in the log and among the dead letters alike.

import { FILTERS, filters, search } from "./address.js";
import { find, h, show } from "./dom.js";
import { heardOf } from "./events.js";

const PAUSE = 300; // ms between the last key and the search
const form = find("#search-form");
const TIMES = new Set(["since", "until"]);

/** Put what is searched for into the fields, and open the form where that is anything. */
export function fill() {
  const wanted = filters();
  for (const name of FILTERS) {
    const value = wanted.get(name) ?? "";
    form.elements[name].value = TIMES.has(name) && value ? local(Number(value)) : value;
  }
  if (wanted.size) open(true);
  tellHowMany();
}

/** A Unix time as the field for a local time takes it. */
function local(unix) {
  const date = new Date(unix * 1000);
  return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function wanted() {
  const value = (name) => form.elements[name].value.trim();
  const asked = (name) => TIMES.has(name) && value(name) ? String(Date.parse(value(name)) / 1000) : value(name);
  return new URLSearchParams(FILTERS.map((name) => [name, asked(name)]));
}

function open(wide) {
  form.hidden = !wide;
  find("#searching").ariaExpanded = String(wide);
  if (wide) offer();
}

/** Offer the sources and types that were heard of. */
function offer() {
  for (const name of ["source", "type"]) show(find(`#${name}s`), heardOf(name), (value) => value, (value) => h("option", { value }));
}

function tellHowMany() {
  find("#searching").dataset.count = filters().size || "";
}

function run() {
  const before = String(filters());
  search(wanted());
  if (String(filters()) === before) return;
  tellHowMany();
  window.dispatchEvent(new Event("searched"));
}

let pause = 0;
form.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(run, PAUSE);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  run();
});
find("#clear").addEventListener("click", () => {
  form.reset();
  run();
});
find("#searching").addEventListener("click", () => {
  open(form.hidden);
  if (!form.hidden) form.elements.text.focus();
});

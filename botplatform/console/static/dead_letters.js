// The dead letters: the list, and one of them, to be retried, edited or dropped.

import { filters } from "./address.js";
import { ask, post, reason } from "./api.js";
import { arrowKeys, button, find, h, showOr } from "./dom.js";
import { readJson } from "./json_text.js";
import { confirmed } from "./question.js";
import { bytes, DATE, facts, plural, time } from "./words.js";

const PAGE = 200; // dead letters in one answer
const chosen = new Set(); // numbers
let letters = [];
let more = false; // whether the platform has more of them

/** Fetch as many as are shown, or the first page, and show them. */
export async function showDeadLetters() {
  await fetchLetters(0, Math.max(PAGE, letters.length));
}

async function fetchLetters(after, limit) {
  const { dead_letters: found } = await ask(`dead-letters?${new URLSearchParams([...filters(), ["after", after], ["limit", limit]])}`);
  letters = after ? [...letters, ...found] : found;
  more = found.length === limit;
  const there = new Set(letters.map((letter) => letter.number));
  for (const number of chosen) if (!there.has(number)) chosen.delete(number);
  render();
}

function render() {
  const sentence = filters().size ? "No dead letter fits the search." : "There are no dead letters: nothing was given up on.";
  showOr(sentence, find("#dead-letters"), letters, (letter) => letter.number, letterRow);
  find("#more-letters").hidden = !more;
  filterLetters();
  tellChosen();
}

function letterRow(letter) {
  const box = h("input", { type: "checkbox", checked: chosen.has(letter.number), ariaLabel: `Choose ${letter.subject ?? letter.type} for ${letter.handler}` });
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(letter.number);
    else chosen.delete(letter.number);
    tellChosen();
  });
  return h("li", { className: "letter" }, box,
    h("a", { href: `#dead-letter-${letter.number}` },
      h("span", { className: "title" }, letter.subject ?? letter.type),
      h("code", {}, letter.handler),
      time(letter.changed)),
    h("p", { className: "bad" }, `after ${plural(letter.attempts, "attempt")}: ${letter.reason}`));
}

const rows = () => [...find("#dead-letters").querySelectorAll("li")];
const visible = () => rows().filter((row) => !row.hidden);

/** Hide the rows that the quick filter does not let through; what is hidden is not chosen. */
export function filterLetters() {
  const wanted = find("#search").value.trim().toLowerCase();
  for (const row of rows()) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    if (row.hidden) choose(row, false);
  }
  tellChosen();
}

function choose(row, wanted) {
  row.querySelector("input").checked = wanted;
  if (wanted) chosen.add(Number(row.dataset.key));
  else chosen.delete(Number(row.dataset.key));
}

function tellChosen() {
  const all = find("#all-letters");
  const count = visible().length;
  all.checked = count > 0 && chosen.size === count;
  all.indeterminate = chosen.size > 0 && chosen.size < count;
  all.disabled = count === 0;
  find("#chosen-letters").textContent = chosen.size ? `${chosen.size.toLocaleString("en")} of ${plural(count, "dead letter")}` : plural(count, "dead letter");
  for (const control of [find("#retry-letters"), find("#drop-letters")]) control.disabled = chosen.size === 0;
}

/** Have something done to dead letters, and say how it went. */
async function have(done, act, numbers) {
  const told = find("#letters-told");
  const sentence = await post(`dead-letters/${act}`, { numbers }).then(
    ({ done: count }) => `${done} ${plural(count, "dead letter")}.`, (error) => `Nothing was done: ${reason(error)}.`);
  told.textContent = sentence;
  await showDeadLetters().catch(() => {});
}

const retry = (numbers) => have("Retried", "retry", numbers);

async function drop(numbers) {
  const what = numbers.length === 1 ? "this dead letter" : `these ${plural(numbers.length, "dead letter")}`;
  const sure = await confirmed(`Drop ${what}? What ${numbers.length === 1 ? "it asks" : "they ask"} for will never be done.`, "Drop");
  if (sure) await have("Dropped", "drop", numbers);
  return sure;
}

arrowKeys(find("#dead-letters"));
find("#retry-letters").addEventListener("click", () => retry([...chosen]));
find("#drop-letters").addEventListener("click", () => drop([...chosen]));
find("#all-letters").addEventListener("change", ({ currentTarget }) => {
  for (const row of visible()) choose(row, currentTarget.checked);
  tellChosen();
});
find("#more-letters").addEventListener("click", () => fetchLetters(letters.at(-1).number, PAGE).catch(() => {}));

/** One dead letter, as elements; `close` closes the details. */
export function deadLetter(letter, close) {
  const { data, data_base64: base64, ...attributes } = letter.envelope;
  return [
    h("p", { className: "facts" }, "Given up ", time(letter.changed, DATE), ` after ${plural(letter.attempts, "attempt")} of `, h("code", {}, letter.handler)),
    h("p", { className: "bad" }, letter.reason),
    letter.event && h("p", {}, h("a", { href: `#event-${letter.event}` }, "What else became of the event")),
    h("p", { className: "acts" },
      button("Retry", () => retry([letter.number]).then(close), { className: "primary" }),
      button("Drop", async () => { if (await drop([letter.number])) close(); })),
    h("h3", {}, "Data"),
    base64 === undefined ? editor(letter.number, data, close) : [bytes(base64), h("p", { className: "facts" }, "This is no JSON, and can be retried or dropped, but not edited.")],
    h("h3", {}, "Envelope"), facts(attributes),
  ].flat().filter(Boolean);
}

/** The data of a dead letter in a text area: what is no JSON is told with its place, and not sent. */
function editor(number, data, close) {
  const text = h("textarea", { id: "letter-data", spellcheck: false, rows: 12, value: JSON.stringify(data ?? null, null, 2), ariaLabel: "Data as JSON" });
  text.setAttribute("aria-describedby", "letter-wrong");
  const wrong = h("p", { id: "letter-wrong", className: "bad", role: "alert" });
  const save = async () => {
    const read = readJson(text.value);
    if (read.wrong) return void tell(text, wrong, read.wrong, read.place);
    const refused = await post(`dead-letters/${number}/edit`, { data: read.value }).then(() => "", reason);
    if (refused) return void tell(text, wrong, refused);
    await retry([number]);
    close();
  };
  text.addEventListener("input", () => tell(text, wrong, readJson(text.value).wrong ?? ""));
  return h("div", { className: "editor" }, text, wrong, h("p", { className: "acts" }, button("Save and retry", save, { className: "primary" }),
    h("small", {}, "Secrets are masked; a mask that is left as it is stays the secret it stands for.")));
}

function tell(text, wrong, sentence, place) {
  wrong.textContent = sentence;
  text.ariaInvalid = String(Boolean(sentence));
  if (place === undefined) return;
  text.focus();
  text.setSelectionRange(place, place + 1);
}

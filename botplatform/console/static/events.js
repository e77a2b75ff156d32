// The list of events: live at its top, older ones on demand, searched on the server, filtered here.

import { filters } from "./address.js";
import { ask } from "./api.js";
import { arrowKeys, find, show } from "./dom.js";
import { eventRow, PROBLEMS, state } from "./outcomes.js";

const PAGE = 100; // events in one answer
const UNSETTLED = 40; // s in which an event may still change by itself: a handler may run for 30 s

const events = new Map(); // by number
let room = 2 * PAGE; // events kept in the page
let older = false; // whether the platform has older ones than these
let latest = 0; // the number up to which the log was looked through

/** Begin anew, for another search. */
export function forget() {
  events.clear();
  latest = 0;
  room = 2 * PAGE;
}

/** The number behind which everything may have changed since the last look. */
export function firstOpen() {
  const old = Date.now() / 1000 - UNSETTLED;
  const open = [...events.values()].filter((entry) => entry.received > old || state(entry) === "waiting");
  return Math.min(latest, ...open.map((entry) => entry.number - 1));
}

const query = (more) => `events?${new URLSearchParams([...filters(), ["limit", PAGE], ...Object.entries(more)])}`;

/** The status, and the numbers of the events that are new or have changed behind number `after`. */
export async function news(after) {
  const asked = String(filters());
  const { status, events: entries } = await ask(query({ after }));
  if (asked !== String(filters())) return { status, changed: [] };
  latest = status.latest;
  return { status, changed: taken(entries, after) };
}

/** Take in an answer, which is all there is behind `after`, or the newest page of it. */
function taken(entries, after) {
  const full = entries.length === PAGE;
  const told = new Map(entries.map((entry) => [entry.number, entry]));
  const gone = [...events.keys()].filter((number) => number >= (full ? entries.at(-1).number : after + 1) && !told.has(number));
  const changed = entries.filter((entry) => JSON.stringify(events.get(entry.number)) !== JSON.stringify(entry));
  if (!events.size) older = full;
  for (const number of gone) events.delete(number);
  for (const entry of changed) events.set(entry.number, entry);
  return [...gone, ...changed.map((entry) => entry.number)];
}

export function showEvents() {
  const newest = [...events.values()].sort((a, b) => b.number - a.number).slice(0, room);
  older = older || newest.length < events.size;
  for (const number of events.keys()) if (number < newest.at(-1).number) events.delete(number);
  show(find("#events"), newest, (entry) => entry.number, eventRow);
  find("#older").hidden = !older;
  filterEvents();
}

async function showOlder() {
  const entries = (await ask(query({ before: Math.min(...events.keys()) }))).events;
  for (const entry of entries) events.set(entry.number, entry);
  room += PAGE;
  older = entries.length === PAGE;
  showEvents();
}

/** Hide the rows that the quick filter does not let through. */
export function filterEvents() {
  const wanted = find("#search").value.trim().toLowerCase();
  const problems = find("#problems").ariaPressed === "true";
  let visible = 0;
  for (const row of find("#events").children) {
    row.hidden = (problems && !PROBLEMS.has(row.dataset.state)) || !row.textContent.toLowerCase().includes(wanted);
    visible += !row.hidden;
  }
  const nothing = find("#nothing");
  nothing.hidden = visible > 0;
  nothing.textContent = events.size ? "No event here fits the filter." : filters().size ? "No event in the log fits the search." : "Nothing has happened yet. Say something on the right, or let a device publish.";
}

/** The topics heard of. */
export const topics = () => [...new Set([...events.values()].filter((entry) => entry.kind === "mqtt" && entry.subject).map((entry) => entry.subject))].sort();
/** The sources and types heard of, to search for. */
export const heardOf = (name) => [...new Set([...events.values()].map((entry) => entry[name]).filter(Boolean))].sort();

arrowKeys(find("#events"));
find("#older").addEventListener("click", ({ currentTarget }) => {
  currentTarget.disabled = true;
  showOlder().catch(() => {}).finally(() => { find("#older").disabled = false; });
});

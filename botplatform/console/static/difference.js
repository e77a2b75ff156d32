// What a commit made of values: line by line what was added, removed and changed.

import { h } from "./dom.js";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Where two JSON values differ: a list of {path, before, after}; what was added has no `before`, what is gone no `after`. */
export function compared(before, after, path = "") {
  if (same(before, after)) return [];
  if (isObject(before) && isObject(after)) return comparedObjects(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) return comparedArrays(before, after, path);
  return [{ path, before, after }];
}

function comparedObjects(before, after, path) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => comparedParts(before, after, name, path ? `${path}.${name}` : name));
}

function comparedParts(before, after, name, path) {
  if (!Object.hasOwn(before, name)) return [{ path, after: after[name] }];
  if (!Object.hasOwn(after, name)) return [{ path, before: before[name] }];
  return compared(before[name], after[name], path);
}

/** Lists differ between what they begin with and what they end with in common. */
function comparedArrays(before, after, path) {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && same(before[start], after[start])) start += 1;
  let end = 0;
  while (end < shorter - start && same(before.at(-1 - end), after.at(-1 - end))) end += 1;
  const [gone, come] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
  const place = (index) => `${path}[${start + index}]`;
  if (gone.length === come.length) return gone.flatMap((value, index) => compared(value, come[index], place(index)));
  return [...gone.map((value, index) => ({ path: place(index), before: value })), ...come.map((value, index) => ({ path: place(index), after: value }))];
}

/** The changes of one handler, each value with its lines. */
export function difference(changes, plugin) {
  return changes.map((change) => h("div", { className: "difference" },
    h("p", {}, h("code", {}, change.plugin === plugin ? change.key : `${change.plugin}: ${change.key}`), ` ${whatHappened(change)}`),
    h("ul", {}, lines(change).map(line))));
}

const had = (change) => "before" in change;
const has = (change) => "after" in change;

function whatHappened(change) {
  if ("size" in change) return `now ${change.size.toLocaleString("en")} bytes, too long to be kept here`;
  if (had(change) && has(change)) return same(change.before, change.after) ? "unchanged" : "changed";
  if (!had(change) && !has(change)) return change.seen === false ? "removed; what was there is not known" : "still not there";
  if (has(change)) return change.seen === false ? "set; what was there is not known" : "added";
  return "removed";
}

const lines = (change) => had(change) && has(change) ? compared(change.before, change.after)
  : [change].filter((one) => had(one) || has(one)).map((one) => ({ path: "", ...one }));

function line(part) {
  const kind = had(part) && has(part) ? "changed" : has(part) ? "added" : "removed";
  return h("li", { data: { kind } },
    part.path && h("span", { className: "path" }, part.path),
    had(part) && h("del", {}, JSON.stringify(part.before)),
    kind === "changed" && h("span", { className: "arrow", ariaLabel: "is now" }, "→"),
    has(part) && h("ins", {}, JSON.stringify(part.after)));
}

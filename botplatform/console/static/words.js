// Times, numbers and JSON as people read them.

import { h } from "./dom.js";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const clock = (unix) => CLOCK.format(new Date(unix * 1000));

export function time(unix, format = CLOCK) {
  const date = new Date(unix * 1000);
  return h("time", { dateTime: date.toISOString(), title: DATE.format(date) }, format.format(date));
}

/** Seconds in the unit people would use: 210 µs, 12 ms, 3.4 s, 2 min. */
export function took(seconds) {
  if (seconds < 0.001) return `${Math.max(0, Math.round(seconds * 1e6))} µs`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : lasting(seconds);
}

/** Seconds in its two largest units: 42 s, 3 min, 2 h 5 min, 4 d 3 h. */
export function lasting(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min` : `${Math.max(0, Math.round(seconds))} s`;
}

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
export const badge = (kind) => h("span", { className: "source", data: { kind } }, kind);

/** Names and what they stand for; values that are no text as JSON, those with parts on lines of their own. */
export function facts(values) {
  const shown = (value) => typeof value === "string" ? value : isLong(value) ? json(value) : JSON.stringify(value);
  return h("dl", { className: "facts" }, Object.entries(values).map(([name, value]) => [h("dt", {}, name), h("dd", {}, shown(value))]));
}

const isLong = (value) => typeof value === "object" && value !== null && Object.keys(value).length > 0;

/** Indented JSON with its keys and values told apart; very long ones go without. */
export function json(value) {
  const text = JSON.stringify(value, null, 2);
  const pre = h("pre", { className: "json", tabIndex: 0 });
  let end = 0;
  const tokens = text.length < 200_000 ? text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.e+-]*/gi) : [];
  for (const token of tokens) {
    const kind = token[2] ? "key" : token[1] ? "string" : "value";
    pre.append(text.slice(end, token.index), h("span", { className: kind }, token[1] ?? token[0]), token[2] ?? "");
    end = token.index + token[0].length;
  }
  pre.append(text.slice(end));
  return pre;
}

/** Bytes as the text they are, or else as base64. */
export function bytes(base64) {
  const raw = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return h("pre", { className: "json", tabIndex: 0 }, new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    return h("pre", { className: "json", tabIndex: 0 }, `${plural(raw.length, "byte")}, base64:\n${base64}`);
  }
}

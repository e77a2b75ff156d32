// One event's whole story: raw record, envelope, handlers, state, effects, reply, and what it is connected with.

import { difference } from "./difference.js";
import { button, h } from "./dom.js";
import { howItWent, isQuiet, named, replyText, state, unfinished } from "./outcomes.js";
import { badge, bytes, DATE, facts, json, plural, time, took } from "./words.js";

/** The story of a log entry with its envelope, as elements. */
export function story(entry) {
  return [
    h("p", { className: "facts" }, h("span", { className: "state", data: { state: state(entry) } }, state(entry)), " ", time(entry.received, DATE), ` · number ${entry.number}`, entry.deliveries > 1 && ` · delivered ${entry.deliveries} times`),
    verdict(entry),
    ...connections(entry),
    ...(entry.envelope ? record(entry.envelope) : []),
    entry.handlers.length > 0 && h("h3", {}, plural(entry.handlers.length, "handler")),
    entry.handlers.map((handler) => handlerCard(handler, entry.received)),
  ].flat().filter(Boolean);
}

/** Why no handler took it, where none did. */
function verdict(entry) {
  if (entry.verdict === "rejected") return h("p", { className: "bad" }, `rejected: ${entry.reason}`);
  const why = entry.reason && h("p", { className: "warn" }, `${entry.reason}.`);
  return entry.suggestion ? [why, ...advice(entry)] : why;
}

function advice({ suggestion, explanations }) {
  const copy = button("Copy", () => navigator.clipboard.writeText(suggestion).then(() => { copy.textContent = "Copied"; }), { className: "copy" });
  return [
    h("h4", {}, "The handler one would write"),
    h("div", { className: "code" }, h("pre", { tabIndex: 0 }, suggestion), copy),
    explanations.length > 0 && h("h4", {}, "Why the others do not take it"),
    explanations.length > 0 && h("dl", { className: "why" }, explanations.map(({ handler, summary, why }) => [
      h("dt", {}, h("code", {}, handler), ` ${summary}`), h("dd", {}, why ?? "it would take it now")])),
  ];
}

const CONNECTIONS = { caused_by: "Caused by", began_with: "Began with", replay_of: "Replay of", caused: "Caused", replayed_as: "Replayed as" };

function connections({ related = {}, envelope }) {
  const links = Object.entries(CONNECTIONS).filter(([name]) => related[name]?.length).map(([name, label]) => [h("dt", {}, label), h("dd", {}, related[name].map(connection))]);
  const chain = envelope?.handlerchain && [h("dt", {}, "By way of"), h("dd", {}, h("code", {}, envelope.handlerchain.split(" ").join(" → ")))];
  return links.length || chain ? [h("dl", { className: "facts connections" }, links, chain || null)] : [];
}

/** A link to another event of the log, or its id where the log does not have it (any more). */
function connection(other) {
  if (!other.number) return h("p", {}, `${other.id}, which is not in the log`);
  const [title, more] = named(other);
  return h("p", {}, badge(other.kind), h("a", { href: `#event-${other.number}` }, title), ` ${more} · `, time(other.received));
}

function record({ data, data_base64: base64, ...attributes }) {
  return [
    h("h3", {}, "Raw record"), h("div", { className: "raw" }, base64 === undefined ? json(data ?? null) : bytes(base64)),
    h("h3", {}, "Envelope"), facts(attributes),
  ];
}

/** One handler's part; `received` is the Unix time at which the event came in, if it did. */
export function handlerCard(handler, received) {
  return h("article", { className: "handler", data: { status: handler.status } },
    h("header", {}, h("code", {}, handler.handler), h("span", {}, inShort(handler))),
    received && handler.finished && h("p", { className: "times" }, times(handler, received)),
    handler.status !== "done" && h("p", {}, unfinished(handler) || h("span", { className: "bad" }, handler.reason ?? ""), handler.status === "waiting" && [" · due ", time(handler.due)]),
    handler.dead_letter && h("p", {}, h("a", { href: `#dead-letter-${handler.dead_letter}` }, "Retry, edit or drop the dead letter")),
    part("State", difference(handler.changes ?? [], handler.handler.split(".")[0])),
    part("Effects", (handler.effects ?? []).map((effect) => effectCard(effect, handler.finished))),
    part("Suppressed", (handler.suppressed ?? []).map((what) => h("p", { className: "suppressed" }, `suppressed: ${what}`))),
    part("Reply", handler.reply ? [h("p", { className: "reply" }, replyText(handler.reply))] : []),
    isQuiet(handler) && !handler.changes?.length && h("p", { className: "empty" }, "no change of state, no effects, no reply"));
}

const part = (title, children) => children.length > 0 && h("section", {}, h("h4", {}, title), children);

function inShort({ status, took: seconds, attempts }) {
  const tries = attempts > 1 && status === "done" ? `, attempt ${attempts}` : "";
  return seconds === undefined || status === "failed" ? status : `${status} in ${took(seconds)}${tries}`;
}

/** Where the time went; what is handled at once is logged with its commit, and has not waited. */
function times({ finished, took: ran, attempts }, received) {
  const waited = finished - received - ran;
  const before = waited > 0 && `${took(waited)} of waiting${attempts > 1 ? " and earlier attempts" : ""}, `;
  return [before || "", `${took(ran)} in the handler, committed `, time(finished)];
}

function effectCard(effect, committed) {
  const after = committed && effect.changed >= committed ? `, ${took(effect.changed - committed)} after the commit` : "";
  const told = howItWent(effect) || effect.status;
  return h("div", { className: "requested", data: { status: effect.status } },
    h("p", {}, h("b", {}, effect.name), ` ${told ?? ""}`, effect.status === "performed" && [" at ", time(effect.changed), after], effect.status === "performed" && effect.attempts > 1 && `, attempt ${effect.attempts}`),
    facts({ ...effect.arguments, ...effect.result }));
}

// What became of events, in words: the same in the list, in the details and in a dry run.

import { h } from "./dom.js";
import { badge, plural, time, took } from "./words.js";

export const PROBLEMS = new Set(["dead", "failed", "rejected", "unmatched", "waiting"]);

/** What became of an event, in one word, the worst first. */
export function state(entry) {
  const statuses = entry.handlers.map((handler) => handler.status);
  const effects = entry.handlers.flatMap((handler) => handler.effects ?? []).map((effect) => effect.status);
  if (!statuses.length) return entry.verdict;
  if (statuses.includes("dead")) return "dead";
  if (effects.includes("given up")) return "failed";
  return statuses.includes("waiting") || effects.includes("pending") ? "waiting" : "done";
}

/** What an event is called, and what else it says: topics and commands by subject, records by type. */
export function named(entry) {
  if (entry.verdict === "rejected") return ["no event", ""];
  const byType = !entry.subject || ["cloudtrail", "cloudevents"].includes(entry.kind);
  return byType ? [entry.type, entry.brief || entry.subject || ""] : [entry.subject, entry.brief || entry.type];
}

/** A row of the list. */
export function eventRow(entry) {
  const [title, more] = named(entry);
  const total = entry.handlers.reduce((sum, handler) => sum + (handler.took ?? 0), 0);
  return h("li", { className: "event", data: { state: state(entry) } },
    h("a", { href: `#event-${entry.number}` },
      time(entry.received),
      badge(entry.kind),
      h("span", { className: "title" }, title),
      h("span", { className: "more" }, more),
      entry.replay_of && h("span", { className: "again" }, "replay"),
      entry.deliveries > 1 && h("span", { className: "again" }, `delivered ${entry.deliveries} times`),
      h("span", { className: "took" }, entry.handlers.some((handler) => handler.took !== undefined) ? took(total) : "")),
    h("ul", { className: "outcomes" }, outcomes(entry)));
}

function outcomes(entry) {
  if (entry.verdict === "rejected") return [h("li", { className: "bad" }, `rejected: ${entry.reason}`)];
  const remark = entry.reason && h("li", { className: "warn" }, entry.reason);
  const quiet = entry.handlers.filter(isQuiet).map((handler) => handler.handler);
  const loud = entry.handlers.filter((handler) => !isQuiet(handler));
  return [remark, ...loud.map(outcome), quiet.length && h("li", { className: "quiet" }, h("code", {}, quiet.join(", ")))].filter(Boolean);
}

/** Whether a handler did nothing that anybody outside could notice. */
export const isQuiet = (handler) => handler.status === "done" && !handler.reply && !handler.effects.length && !handler.suppressed.length;

function outcome(handler) {
  return h("li", {},
    h("code", {}, handler.handler),
    handler.reply && h("q", { className: "reply" }, replyText(handler.reply)),
    unfinished(handler),
    (handler.effects ?? []).map(effectChip),
    (handler.suppressed ?? []).map((what) => h("span", { className: "effect", data: { status: "suppressed" } }, `suppressed: ${what}`)));
}

export function unfinished(handler) {
  if (handler.status === "waiting") return h("span", { className: "warn" }, `waiting for attempt ${handler.attempts + 1}`, handler.reason && `: ${handler.reason}`);
  return handler.status === "dead" && h("span", { className: "bad" }, `dead letter after ${plural(handler.attempts, "attempt")}: ${handler.reason}`);
}

export const replyText = (reply) => reply.text || reply.speech || JSON.stringify(reply.native ?? reply);

function effectChip(effect) {
  const [to, said] = described(effect);
  return h("span", { className: "effect", data: { status: effect.status } },
    h("b", {}, effect.name), " ", to && `${to} `, h("q", {}, said), howItWent(effect) && ` · ${howItWent(effect)}`);
}

/** To whom an effect goes and what it says. */
function described({ name, arguments: given }) {
  if (name === "text") return [`to ${given.to}`, given.body];
  if (name === "slack") return [given.channel ? `to ${given.channel}` : "in answer", slackText(given)];
  if (name === "publish") return [`on ${given.topic}`, given.payload];
  return name === "emit" ? ["", `${given.event.type} ${given.event.subject ?? ""}`.trim()] : ["", JSON.stringify(given)];
}

/** What there is to say of an effect that was not simply performed. */
export function howItWent(effect) {
  const reason = effect.result?.reason ? `: ${effect.result.reason}` : "";
  if (effect.status === "given up") return `given up after ${plural(effect.attempts, "attempt")}${reason}`;
  if (effect.status === "pending") return effect.attempts ? `pending, attempt ${effect.attempts + 1}${reason}` : "pending";
  return "";
}

/** The text of a Slack message; of one that is blocks only, the texts in them. */
export function slackText(message) {
  const texts = (value) => typeof value?.text === "string" ? [value.text] : Object.values(value ?? {}).filter((part) => part && typeof part === "object").flatMap(texts);
  return message.text || texts(message.blocks).join("\n");
}

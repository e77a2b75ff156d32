// Replay from an event's page: first without consequences, then for real, with or without its effects.

import { post, reason } from "./api.js";
import { button, h } from "./dom.js";
import { handlerCard } from "./story.js";
import { plural } from "./words.js";

/** The section that replays a log entry, as an element. */
export function replaySection(entry) {
  const [form, result] = [h("p", { className: "acts" }), h("div", { className: "rehearsed", ariaLive: "polite" })];
  const names = [...new Set(entry.handlers.map((handler) => handler.handler))];
  const handler = h("select", { ariaLabel: "Handler to replay for" }, h("option", { value: "" }, "All handlers"), names.map((name) => h("option", { value: name }, name)));
  const asked = { numbers: [entry.number], effects: false };
  const rehearse = () => post("replay", { ...asked, handler: handler.value, dry_run: true }).then(
    ({ runs }) => result.replaceChildren(...rehearsed(runs, { ...asked, handler: handler.value }, result)), (error) => refused(result, error));
  handler.addEventListener("change", () => result.replaceChildren());
  form.append(handler, button("Dry run", rehearse, { className: "primary" }));
  return h("section", { className: "replay" },
    h("h3", {}, "Replay"),
    h("p", { className: "facts" }, "A dry run has the handlers, as they are now, handle the event once more against the state as it is now. Nothing is kept or sent."),
    form, result);
}

function refused(result, error) {
  result.replaceChildren(h("p", { className: "bad" }, `Not replayed: ${reason(error)}.`));
}

/** What a dry run found, and the way on to a real replay. */
function rehearsed(runs, asked, result) {
  if (!runs.length) return [h("p", { className: "warn" }, "No handler takes it now, so there is nothing to replay.")];
  const effects = runs.flatMap((run) => run.effects ?? []).length;
  const replay = (withEffects) => post("replay", { ...asked, dry_run: false, effects: withEffects }).then(
    () => result.replaceChildren(h("p", { className: "good" }, "Replayed: it is at the top of the log as an event of its own.")), (error) => refused(result, error));
  return [
    h("h4", {}, "What it would do now"),
    ...runs.map((run) => handlerCard(run)),
    h("p", {}, effects ? `Replay it for real? Its ${plural(effects, "effect")} can be performed once more, or withheld.` : "Replay it for real? It has no effects outside."),
    h("p", { className: "acts" }, effects
      ? [button("Replay without effects", () => replay(false)), button(`Replay with ${plural(effects, "effect")}`, () => replay(true), { className: "risky" })]
      : button("Replay", () => replay(false))),
  ];
}

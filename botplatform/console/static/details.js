// The details of an event or of a dead letter: a sheet at the side, with an address of its own.

import * as address from "./address.js";
import { ask } from "./api.js";
import { deadLetter } from "./dead_letters.js";
import { find, h } from "./dom.js";
import { named } from "./outcomes.js";
import { replaySection } from "./replay.js";
import { story } from "./story.js";
import { badge } from "./words.js";

const sheet = find("#details");
let shown = { place: "", entry: "" }; // what the sheet shows: of which event or dead letter, and what of it, as JSON

/** What can be shown: its title, what is told of it, and what can be done about it and stays while the rest changes. */
const KINDS = {
  event: {
    title: (entry) => [badge(entry.kind), ` ${named(entry)[0]}`],
    told: story,
    acts: (entry) => entry.envelope ? [replaySection(entry)] : [],
  },
  "dead-letter": {
    title: (letter) => ["Dead letter: ", letter.subject ?? letter.type],
    told: () => [],
    acts: (letter) => deadLetter(letter, () => sheet.close()),
  },
};
const MISSING = { title: () => ["Not found"], told: ({ error }) => [h("p", { className: "empty" }, error)], acts: () => [] };

/** Show what the address asks for, or close the sheet. */
export async function showDetails() {
  const kind = Object.keys(KINDS).find(address.chosen);
  if (!kind) return sheet.close();
  const place = `${kind}-${address.chosen(kind)}`;
  const entry = await ask(`${kind}s/${address.chosen(kind)}`).catch((error) => ({ error: error.message }));
  if (place === `${kind}-${address.chosen(kind)}`) render(place, entry, entry.error ? MISSING : KINDS[kind]);
}

function render(place, entry, { title, told, acts }) {
  const json = JSON.stringify(entry);
  const again = sheet.open && shown.place === place;
  if (again && shown.entry === json) return;
  shown = { place, entry: json };
  find("#details-title").replaceChildren(...title(entry));
  find("#details-body").replaceChildren(...told(entry));
  if (again && !entry.error) return;
  find("#details-acts").replaceChildren(...acts(entry));
  find("#details .scroll").scrollTop = 0;
  if (!sheet.open) sheet.showModal();
}

find("#close").addEventListener("click", () => sheet.close());
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
sheet.addEventListener("close", () => {
  const [list, number] = address.chosen("event") ? ["#events", address.chosen("event")] : ["#dead-letters", address.chosen("dead-letter")];
  if (number) address.close();
  find(`${list} [data-key="${number}"] a`)?.focus();
});

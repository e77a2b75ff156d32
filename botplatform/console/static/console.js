// Shows what the platform does, live: looks every second, and at once where somebody did something.

import * as address from "./address.js";
import { filterLetters, showDeadLetters } from "./dead_letters.js";
import { showDetails } from "./details.js";
import { find } from "./dom.js";
import { filterEvents, firstOpen, forget, news, showEvents, topics } from "./events.js";
import { showStatus } from "./limits.js";
import { showPlugins } from "./plugins.js";
import { fill } from "./search.js";
import { showSent } from "./sent.js";
import { showTopics } from "./speak.js";
import { select } from "./tabs.js";
import { clock } from "./words.js";

const INTERVAL = 1000; // ms between two looks

const live = { started: null, counts: "", plugins: null, due: 0, again: true, letters: "", answered: Date.now(), wake: () => {} };

async function look() {
  const { status, changed } = await news(live.again ? 0 : firstOpen());
  live.started ??= status.started;
  if (status.started !== live.started) return beginAnew();
  const counts = JSON.stringify(status.counts);
  live.again = counts !== live.counts && !address.filters().size; // an old event may have been delivered again
  showStatus(status);
  if (changed.length || !live.counts) {
    showEvents();
    showTopics(topics());
    await showSent();
  }
  if (status.plugins !== live.plugins || Date.now() / 1000 > live.due) live.due = await showPlugins();
  await lookAtLetters(`${status.dead_letters} ${counts}`);
  if (changed.includes(address.chosen("event"))) await showDetails();
  Object.assign(live, { counts, plugins: status.plugins, answered: Date.now() });
}

/** Another process has another token: load the page again, and do nothing more in this one. */
function beginAnew() {
  location.reload();
  return new Promise(() => {});
}

/** Show the dead letters where they are in front and something may have changed. */
async function lookAtLetters(known) {
  find("#tab-dead-letters").dataset.count = Number.parseInt(known, 10) || "";
  if (address.list() !== "dead-letters" || known === live.letters) return;
  await showDeadLetters();
  live.letters = known;
}

function showGone(error) {
  find("#banner").textContent = error.answered ? `The platform cannot answer: ${error.message}`
    : `The platform is gone: nobody answers at ${location.host} since ${clock(live.answered / 1000)}. This page goes on by itself when it is back.`;
}

async function lookForever() {
  for (;;) {
    if (!document.hidden) {
      const error = await look().then(() => null, (problem) => problem);
      if (error) showGone(error);
      find("#banner").hidden = !error;
      document.body.classList.toggle("gone", Boolean(error));
    }
    await new Promise((resolve) => {
      live.wake = resolve;
      setTimeout(resolve, INTERVAL);
    });
  }
}

/** Look at everything once more, and at once. */
function lookAgain() {
  Object.assign(live, { again: true, letters: "" });
  live.wake();
}

/** Show what the address asks for. */
function follow() {
  const before = String(address.filters());
  address.read();
  showList();
  if (String(address.filters()) !== before) window.dispatchEvent(new Event("searched"));
  showDetails();
}

function showList() {
  select(find("#lists"), find(`#tab-${address.list()}`));
  document.body.dataset.list = address.list();
  fill();
}

window.addEventListener("hashchange", follow);
window.addEventListener("acted", () => {
  lookAgain();
  if (address.chosen("event")) showDetails(); // a replay is connected with it now
});
window.addEventListener("searched", () => {
  forget();
  showEvents();
  lookAgain();
});
find("#lists").addEventListener("click", ({ target }) => {
  if (!target.dataset.list || target.dataset.list === address.list()) return;
  address.open(target.dataset.list);
  showList();
  lookAgain();
});
find("#search").addEventListener("input", () => {
  filterEvents();
  filterLetters();
});
find("#problems").addEventListener("click", ({ currentTarget }) => {
  currentTarget.ariaPressed = String(currentTarget.ariaPressed !== "true");
  filterEvents();
});
document.addEventListener("visibilitychange", () => live.wake());
address.read();
showList();
showDetails();
lookForever();

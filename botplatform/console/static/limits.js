// How the platform is: where things go, how full it is, and everything that it counted.

import { find, h, show } from "./dom.js";
import { lasting } from "./words.js";

const NEARLY = 0.8; // of a limit
const WORDS = { in_flight: "In flight", inbox: "Inbox and dead letters", outbox: "Effects to perform", log: "Log", bodies: "HTTP requests, MiB" };
const PLACES = new Map([["unmatched", "#?verdict=unmatched"], ["rejected", "#?verdict=rejected"], ["dead letters", "#dead-letters"]]);
const dialog = find("#limits");

export function showStatus({ mqtt, destinations, uptime, counts, levels }) {
  const items = [
    { name: "MQTT", value: mqtt.connected ? mqtt.url : `not connected to ${mqtt.url}`, state: mqtt.connected ? "good" : "bad" },
    { name: "Texts to", value: destinations.text },
    { name: "Slack to", value: destinations.slack },
    { name: "Up", value: lasting(uptime) },
  ];
  show(find("#status"), items, (item) => item.name, (item) => h("li", { data: { state: item.state ?? "" } }, h("span", {}, item.name), " ", h("b", {}, item.value)));
  showCounts(counts);
  showLevels(Object.entries(levels).map(([name, level]) => ({ name, ...level })));
}

function showCounts(counts) {
  const counted = Object.entries(counts).filter(([, count]) => count > 0).sort(([name]) => (name === "events" ? -1 : 0));
  show(find("#counts"), counted, ([name]) => name, ([name, count]) => h("li", {}, h("b", {}, count.toLocaleString("en")), ` ${name}`));
  show(find("#counted"), counted, ([name]) => name, ([name, count]) => h("li", {}, counter(name), h("b", {}, count.toLocaleString("en"))));
  find("#nothing-counted").hidden = counted.length > 0;
}

/** What was counted, as a link to where each of them is, with its reason. */
function counter(name) {
  const place = [...PLACES].find(([start]) => name.startsWith(start))?.[1];
  return place ? h("a", { href: place }, name) : h("span", {}, name);
}

function showLevels(levels) {
  show(find("#gauges"), levels, (level) => level.name, meter);
  show(find("#levels"), levels, (level) => level.name, levelRow);
  const slowing = levels.filter(isFull);
  find("#open-limits").ariaLabel = slowing.length ? "Limits: sources are being slowed down" : levels.some(isNearlyFull) ? "Limits: nearly reached" : "Limits";
  tell(find("#slowing"), slowing.map((level) => `Sources are being slowed down: ${told(level)} (${level.setting}).`).join(" "));
}

/** Say something, but not again what is said already: it would be read out again. */
function tell(place, sentence) {
  place.hidden = !sentence;
  if (place.textContent !== sentence) place.textContent = sentence;
}

/** Whether sources are slowed down because of it; a full log forgets its oldest events instead. */
const isFull = ({ name, now, limit }) => name !== "log" && now >= limit;
const isNearlyFull = ({ now, limit }) => now > NEARLY * limit;
const title = ({ name }) => WORDS[name] ?? name;
const told = (level) => `${title(level)}: ${level.now.toLocaleString("en")} of ${level.limit.toLocaleString("en")}`;

function meter(level) {
  const state = isFull(level) ? "full" : isNearlyFull(level) ? "nearly" : "";
  return h("meter", { min: 0, max: level.limit, value: level.now, title: told(level), ariaLabel: title(level), data: { state } }, told(level));
}

function levelRow(level) {
  return h("li", {}, h("span", {}, title(level)), meter(level), h("b", {}, `${level.now.toLocaleString("en")} of ${level.limit.toLocaleString("en")}`), h("code", {}, level.setting));
}

find("#open-limits").addEventListener("click", () => dialog.showModal());
find("#counted").addEventListener("click", ({ target }) => target.href && dialog.close());
find("#close-limits").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

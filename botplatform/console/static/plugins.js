// What is loaded, and what it listens to.

import { ask } from "./api.js";
import { find, h, show, showOr } from "./dom.js";
import { showIntents } from "./speak.js";
import { badge, DAY, lasting, time } from "./words.js";

/** Show the plugins, and return when they have to be shown again at the latest: at the next tick of a schedule. */
export async function showPlugins() {
  const { loaded, mistakes, alexa_off: alexaOff } = await ask("plugins");
  const listens = loaded.flatMap((plugin) => plugin.listens);
  find("#plugins-count").textContent = loaded.length || "";
  const cards = [...mistakes.map((mistake) => ({ mistake })), ...loaded];
  showOr("No plugin is loaded.", find("#plugins"), cards, (card) => card.name ?? card.mistake, pluginCard);
  show(find("#commands"), listens.filter((one) => one.summary.startsWith("/")), (one) => one.summary, (one) => h("option", { value: one.summary.replace(/ ?\{.*/, " ") }, one.summary));
  show(find("#handlers"), [...new Set(listens.map((one) => one.handler))].sort(), (name) => name, (name) => h("option", { value: name }));
  showIntents(listens.filter((one) => one.intent), alexaOff);
  return Math.min(Date.now() / 1000 + 60, ...listens.map((one) => one.next ?? Infinity));
}

function pluginCard(plugin) {
  if (plugin.mistake) return h("p", { className: "mistake", role: "alert" }, plugin.mistake);
  return h("article", { className: "plugin" },
    h("h3", { title: plugin.file }, plugin.name),
    h("p", {}, plugin.summary),
    h("ul", {}, plugin.listens.map((one) => h("li", { title: `${plugin.file}:${one.line} ${one.handler}` },
      badge(one.source), h("code", {}, one.summary.replace(/^intent /, "")),
      h("span", { className: "function" }, one.handler.split(".").at(-1)),
      one.next && h("span", { className: "next" }, "next ", time(one.next, DAY), `, in ${lasting(one.next - Date.now() / 1000)}`)))));
}

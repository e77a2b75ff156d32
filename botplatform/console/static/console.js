// Shows what the platform does, live, and speaks to it as Slack, Alexa or a device would.
// Everything an event holds comes from strangers: it reaches the page as text nodes only, never as HTML.

const INTERVAL = 1000; // ms between two looks
const SHOWN = 200; // events kept in the page
const UNSETTLED = 40; // s in which an event may still change by itself: a handler may run for 30 s
const TOKEN = document.querySelector('meta[name="console-token"]').content;

const find = (selector) => document.querySelector(selector);

// --- Building blocks ------------------------------------------------------------------------------------------------

/** An element; strings among the children become text nodes, null and false are left out. */
function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(element.dataset, value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make the children of `list` show `items`; those that did not change stay the same elements, focus included. */
function show(list, items, key, make) {
  const known = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let place = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const old = known.get(name);
    const node = old && old.shows === JSON.stringify(item) ? old : fresh(make(item), name, item);
    if (old && old !== node) {
      const focused = old.contains(document.activeElement);
      if (place === old) place = node;
      old.replaceWith(node);
      if (focused) node.querySelector("a, button")?.focus();
    }
    known.delete(name);
    if (node === place) place = place.nextElementSibling;
    else list.insertBefore(node, place);
  }
  for (const node of known.values()) node.remove();
}

/** The same, or a sentence where there are no items. */
function showOr(sentence, list, items, key, make) {
  if (items.length) show(list, items, key, make);
  else show(list, [sentence], () => "", () => h("p", { className: "empty" }, sentence));
}

function fresh(node, name, item) {
  node.dataset.key = name;
  node.shows = JSON.stringify(item);
  return node;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function time(unix, format = CLOCK) {
  const date = new Date(unix * 1000);
  return h("time", { dateTime: date.toISOString(), title: DATE.format(date) }, format.format(date));
}

/** Seconds in the unit people would use: 210 µs, 12 ms, 3.4 s. */
function took(seconds) {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/** Seconds in its two largest units: 42 s, 3 min, 2 h 5 min, 4 d 3 h. */
function lasting(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min` : `${Math.max(0, Math.round(seconds))} s`;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const badge = (kind) => h("span", { className: "source", data: { kind } }, kind);

/** Indented JSON with its keys and values told apart; very long ones go without. */
function json(value) {
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

// --- The API, as pages.py documents it ------------------------------------------------------------------------------

async function ask(path, options = {}) {
  const response = await fetch(`api/${path}`, { cache: "no-store", signal: AbortSignal.timeout(15_000), ...options });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { answered: true });
  return answer;
}

function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-Console-Token": TOKEN };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

// --- Events ---------------------------------------------------------------------------------------------------------

const events = new Map(); // by number

/** What became of an event, in one word, the worst first. */
function state(entry) {
  const statuses = entry.handlers.map((handler) => handler.status);
  const effects = entry.handlers.flatMap((handler) => handler.effects ?? []).map((effect) => effect.status);
  if (!statuses.length) return entry.verdict;
  if (statuses.includes("dead")) return "dead";
  if (effects.includes("given up")) return "failed";
  return statuses.includes("waiting") || effects.includes("pending") ? "waiting" : "done";
}

const PROBLEMS = new Set(["dead", "failed", "rejected", "unmatched", "waiting"]);

function showEvents() {
  const newest = [...events.values()].sort((a, b) => b.number - a.number).slice(0, SHOWN);
  for (const number of events.keys()) if (number < newest.at(-1).number) events.delete(number);
  show(find("#events"), newest, (entry) => entry.number, eventRow);
  filterEvents();
}

function eventRow(entry) {
  const [title, more] = named(entry);
  const total = entry.handlers.reduce((sum, handler) => sum + (handler.took ?? 0), 0);
  return h("li", { className: "event", data: { state: state(entry) } },
    h("a", { href: `#event-${entry.number}` },
      time(entry.received),
      badge(entry.kind),
      h("span", { className: "title" }, title),
      h("span", { className: "more" }, more),
      entry.deliveries > 1 && h("span", { className: "again" }, `delivered ${entry.deliveries} times`),
      h("span", { className: "took" }, entry.handlers.some((handler) => handler.took !== undefined) ? took(total) : "")),
    h("ul", { className: "outcomes" }, outcomes(entry)));
}

/** What an event is called, and what else it says: topics and commands by subject, records by type. */
function named(entry) {
  if (entry.verdict === "rejected") return ["no event", ""];
  const byType = !entry.subject || ["cloudtrail", "cloudevents"].includes(entry.kind);
  return byType ? [entry.type, entry.brief || entry.subject || ""] : [entry.subject, entry.brief || entry.type];
}

function outcomes(entry) {
  if (entry.verdict === "rejected") return [h("li", { className: "bad" }, `rejected: ${entry.reason}`)];
  if (!entry.handlers.length && entry.verdict === "unmatched") return [h("li", { className: "warn" }, entry.reason)];
  const quiet = entry.handlers.filter(isQuiet).map((handler) => handler.handler);
  const loud = entry.handlers.filter((handler) => !isQuiet(handler));
  return [...loud.map(outcome), quiet.length && h("li", { className: "quiet" }, h("code", {}, quiet.join(", ")))].filter(Boolean);
}

const isQuiet = (handler) => handler.status === "done" && !handler.reply && !handler.effects.length && !handler.suppressed.length;

function outcome(handler) {
  return h("li", {},
    h("code", {}, handler.handler),
    handler.reply && h("q", { className: "reply" }, replyText(handler.reply)),
    unfinished(handler),
    (handler.effects ?? []).map(effectChip),
    (handler.suppressed ?? []).map((what) => h("span", { className: "effect", data: { status: "suppressed" } }, `suppressed: ${what}`)));
}

function unfinished(handler) {
  if (handler.status === "waiting") return h("span", { className: "warn" }, `waiting for attempt ${handler.attempts + 1}`, handler.reason && `: ${handler.reason}`);
  return handler.status === "dead" && h("span", { className: "bad" }, `dead letter after ${plural(handler.attempts, "attempt")}: ${handler.reason}`);
}

const replyText = (reply) => reply.text || reply.speech || JSON.stringify(reply.native ?? reply);

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

function howItWent(effect) {
  const reason = effect.result?.reason ? `: ${effect.result.reason}` : "";
  if (effect.status === "given up") return `given up after ${plural(effect.attempts, "attempt")}${reason}`;
  if (effect.status === "pending") return effect.attempts ? `pending, attempt ${effect.attempts + 1}${reason}` : "pending";
  return "";
}

/** The text of a Slack message; of one that is blocks only, the texts in them. */
function slackText(message) {
  const texts = (value) => typeof value?.text === "string" ? [value.text] : Object.values(value ?? {}).filter((part) => part && typeof part === "object").flatMap(texts);
  return message.text || texts(message.blocks).join("\n");
}

function filterEvents() {
  const wanted = find("#search").value.trim().toLowerCase();
  const problems = find("#problems").ariaPressed === "true";
  let visible = 0;
  for (const row of find("#events").children) {
    row.hidden = (problems && !PROBLEMS.has(row.dataset.state)) || !row.textContent.toLowerCase().includes(wanted);
    visible += !row.hidden;
  }
  const nothing = find("#nothing");
  nothing.hidden = visible > 0;
  nothing.textContent = events.size ? "No event here fits the filter." : "Nothing has happened yet. Say something on the right, or let a device publish.";
}

find("#search").addEventListener("input", filterEvents);
find("#problems").addEventListener("click", ({ currentTarget }) => {
  currentTarget.ariaPressed = String(currentTarget.ariaPressed !== "true");
  filterEvents();
});
find("#events").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const links = [...find("#events").querySelectorAll("li:not([hidden]) > a")];
  const next = step && links[links.indexOf(document.activeElement) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});

// --- The details of one event ---------------------------------------------------------------------------------------

const details = find("#details");
let detailed = ""; // the details shown, as JSON

const chosen = () => Number(/^#event-(\d+)$/.exec(location.hash)?.[1] ?? 0);

async function showDetails() {
  if (!chosen()) return details.close();
  const entry = await ask(`events/${chosen()}`).catch((error) => ({ error: error.message }));
  if (JSON.stringify(entry) === detailed && details.open) return;
  detailed = JSON.stringify(entry);
  find("#details-title").replaceChildren(...(entry.error ? ["Not found"] : [badge(entry.kind), ` ${named(entry)[0]}`]));
  find("#details-body").replaceChildren(...(entry.error ? [h("p", { className: "empty" }, entry.error)] : detailsOf(entry)));
  if (!details.open) details.showModal();
}

function detailsOf(entry) {
  const { data, data_base64: base64, ...attributes } = entry.envelope ?? {};
  return [
    h("p", { className: "facts" }, time(entry.received, DATE), ` · number ${entry.number}`, entry.deliveries > 1 && ` · delivered ${entry.deliveries} times`),
    h("h3", {}, "What became of it"),
    ...becameOf(entry),
    entry.envelope && h("h3", {}, "Raw record"),
    entry.envelope && (base64 === undefined ? json(data ?? null) : bytes(base64)),
    entry.envelope && h("h3", {}, "Envelope"),
    entry.envelope && facts(attributes),
  ].filter(Boolean);
}

function becameOf(entry) {
  if (entry.verdict === "rejected") return [h("p", { className: "bad" }, `rejected: ${entry.reason}`)];
  if (entry.handlers.length) return entry.handlers.map(handlerCard);
  const why = h("p", { className: "warn" }, `${entry.reason}.`);
  return entry.suggestion ? [why, ...advice(entry)] : [why];
}

function advice({ suggestion, explanations }) {
  const copy = h("button", { type: "button", className: "copy" }, "Copy");
  copy.addEventListener("click", () => navigator.clipboard.writeText(suggestion).then(() => { copy.textContent = "Copied"; }));
  return [
    h("h4", {}, "The handler one would write"),
    h("div", { className: "code" }, h("pre", { tabIndex: 0 }, suggestion), copy),
    explanations.length > 0 && h("h4", {}, "Why the others do not take it"),
    explanations.length > 0 && h("dl", { className: "why" }, explanations.map(({ handler, summary, why }) => [
      h("dt", {}, h("code", {}, handler), ` ${summary}`), h("dd", {}, why ?? "it would take it now")])),
  ].filter(Boolean);
}

function handlerCard(handler) {
  const tries = handler.attempts > 1 ? `, attempt ${handler.attempts}` : "";
  return h("article", { className: "handler", data: { status: handler.status } },
    h("header", {}, h("code", {}, handler.handler), h("span", {}, handler.took === undefined ? handler.status : `${handler.status} in ${took(handler.took)}${tries}`)),
    handler.reply && facts({ reply: replyText(handler.reply) }),
    handler.status !== "done" && h("p", {}, unfinished(handler), handler.status === "waiting" && [" · due ", time(handler.due)]),
    (handler.effects ?? []).map((effect) => h("div", { className: "requested" },
      h("p", {}, h("b", {}, effect.name), ` ${effect.status}`, effect.status === "performed" && [" at ", time(effect.changed)], effect.attempts > 1 && ` after ${effect.attempts} attempts`),
      facts({ ...effect.arguments, ...effect.result }))),
    (handler.suppressed ?? []).map((what) => h("p", { className: "suppressed" }, `suppressed: ${what}`)),
    isQuiet(handler) && h("p", { className: "empty" }, "no reply, no effects"));
}

function facts(values) {
  const shown = (value) => typeof value === "string" ? value : JSON.stringify(value);
  return h("dl", { className: "facts" }, Object.entries(values).map(([name, value]) => [h("dt", {}, name), h("dd", {}, shown(value))]));
}

/** Bytes as the text they are, or else as base64. */
function bytes(base64) {
  const raw = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return h("pre", { className: "json", tabIndex: 0 }, new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    return h("pre", { className: "json", tabIndex: 0 }, `${plural(raw.length, "byte")}, base64:\n${base64}`);
  }
}

window.addEventListener("hashchange", showDetails);
find("#close").addEventListener("click", () => details.close());
details.addEventListener("click", (event) => event.target === details && details.close());
details.addEventListener("close", () => {
  const row = find(`#events a[href="${location.hash}"]`);
  history.replaceState(null, "", location.pathname);
  row?.focus();
});

// --- What was sent --------------------------------------------------------------------------------------------------

async function showOutbox() {
  const { text, slack, publish } = await ask("outbox");
  showOr("No text was sent yet.", find("#sent-texts"), conversations(text), (talk) => talk.number, conversation);
  showOr("No Slack message was posted yet.", find("#sent-messages"), slack, (message) => message.number, slackMessage);
  showOr("Nothing was published yet.", find("#sent-publishes"), publish, (message) => message.number, published);
  for (const [tab, messages] of [["texts", text], ["messages", slack], ["publishes", publish]]) {
    find(`#tab-${tab}`).dataset.count = messages.length || "";
  }
}

/** The texts by recipient, whoever got the latest first; each conversation is read from top to bottom. */
function conversations(texts) {
  const talks = new Map();
  for (const text of texts) {
    const name = text.arguments.to;
    if (!talks.has(name)) talks.set(name, { name, number: text.result?.number ?? name, texts: [] });
    talks.get(name).texts.unshift(text);
  }
  return [...talks.values()];
}

function conversation({ name, number, texts }) {
  return h("section", { className: "talk" },
    h("header", {}, h("span", { className: "face", ariaHidden: "true" }, name.replace(/^\+/, "").slice(0, 1).toUpperCase()), h("h3", {}, name), number !== name && h("span", {}, number)),
    h("ol", {}, texts.map((text) => h("li", { className: "bubble", data: { status: text.status } },
      h("p", {}, text.arguments.body),
      h("small", {}, time(text.changed), text.result?.parts > 1 && ` · ${text.result.parts} parts`, howItWent(text) && ` · ${howItWent(text)}`)))));
}

function slackMessage(message) {
  const given = message.arguments;
  return h("article", { className: "message", data: { status: message.status } },
    h("span", { className: "face", ariaHidden: "true" }, "b"),
    h("div", {},
      h("header", {}, h("b", {}, "botplatform"), h("span", { className: "app" }, "APP"), h("span", { className: "channel" }, given.channel ?? "in answer to a command"), time(message.changed)),
      h("p", {}, slackText(given)),
      howItWent(message) && h("small", {}, howItWent(message))));
}

function published(message) {
  const { topic, payload, qos, retain } = message.arguments;
  return h("article", { className: "publish", data: { status: message.status } },
    h("header", {}, h("code", {}, topic), h("span", {}, `QoS ${qos}${retain ? ", retained" : ""}`), time(message.changed)),
    h("pre", {}, payload),
    howItWent(message) && h("small", {}, howItWent(message)));
}

// --- Plugins --------------------------------------------------------------------------------------------------------

async function showPlugins() {
  const { loaded, mistakes, alexa_off: alexaOff } = await ask("plugins");
  const listens = loaded.flatMap((plugin) => plugin.listens);
  live.due = Math.min(Date.now() / 1000 + 60, ...listens.map((one) => one.next ?? Infinity));
  find("#plugins-count").textContent = loaded.length || "";
  const cards = [...mistakes.map((mistake) => ({ mistake })), ...loaded];
  showOr("No plugin is loaded.", find("#plugins"), cards, (card) => card.name ?? card.mistake, pluginCard);
  show(find("#commands"), listens.filter((one) => one.summary.startsWith("/")), (one) => one.summary, (one) => h("option", { value: one.summary.replace(/ ?\{.*/, " ") }, one.summary));
  showIntents(listens.filter((one) => one.intent), alexaOff);
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

// --- Speaking -------------------------------------------------------------------------------------------------------

let intents = [];
let session = null; // what Alexa keeps between two requests

function showIntents(declared, off) {
  const choices = [["", "Open the skill"], ...declared.map((one) => [one.intent, one.samples[0] ? `${one.intent}: ${one.samples[0]}` : one.intent])];
  intents = declared;
  const select = find("#speak-alexa select");
  show(select, choices, ([value]) => value, ([value, text]) => h("option", { value }, text));
  for (const control of find("#speak-alexa form").elements) control.disabled = Boolean(off);
  const chat = find("#speak-alexa .chat");
  if (off) chat.replaceChildren(h("li", { className: "system" }, `This is off: ${off}.`));
  showSlots();
}

function showSlots() {
  const intent = intents.find((one) => one.intent === find("#speak-alexa select").value);
  show(find("#slots"), intent?.slots ?? [], (slot) => slot, (slot) => h("label", {}, h("span", {}, slot), h("input", { name: `slot-${slot}`, maxLength: 200 })));
}

/** Put a line at the end of a chat and return the place of its text, for an answer that is still to come. */
function say(chat, who, text) {
  const words = h("p", {}, text);
  chat.append(h("li", { className: who }, words));
  chat.scrollTop = chat.scrollHeight;
  return words;
}

/** Have a form speak: `spoken` gives what is said and how it looks, `answered` the lines of the answer. */
function speaks(name, spoken, answered) {
  const [chat, form] = [find(`#speak-${name} .chat`), find(`#speak-${name} form`)];
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { body, shown } = spoken(form.elements);
    say(chat, "mine", shown);
    const reply = say(chat, "reply pending", "…");
    const lines = await post(name, body).then(answered, (error) => [error.answered ? error.message : "nobody answers", "failed"]);
    reply.textContent = lines[0];
    reply.parentElement.className = lines[1] ?? "reply";
    if (lines[2]) reply.parentElement.append(h("small", {}, lines[2]));
    chat.scrollTop = chat.scrollHeight;
    live.wake();
  });
}

speaks("slack", (fields) => {
  const body = { user: fields.user.value, text: fields.text.value };
  fields.text.value = "";
  return { body, shown: body.text };
}, (answer) => answer.text ? [answer.text, "reply", answer.response_type === "ephemeral" ? "only visible to you" : ""]
  : ["Seen. What it posts comes under Sent.", "system"]);

speaks("alexa", (fields) => {
  const intent = intents.find((one) => one.intent === fields.intent.value);
  const slots = Object.fromEntries((intent?.slots ?? []).map((slot) => [slot, fields[`slot-${slot}`].value]));
  const words = intent ? intent.samples[0] ?? intent.intent : "open the skill";
  return { body: { intent: fields.intent.value, slots, session }, shown: words.replace(/\{(\w+)\}/g, (_, slot) => slots[slot] || "…") };
}, ({ response, sessionAttributes }) => {
  const speech = response.outputSpeech ?? {};
  session = response.shouldEndSession === false ? sessionAttributes ?? {} : null;
  const words = speech.text ?? speech.ssml?.replace(/<[^>]*>/g, "");
  return words ? [words, "reply", session && "listens for more"] : ["Alexa says nothing.", "system"];
});

speaks("mqtt", (fields) => {
  const body = { topic: fields.topic.value, payload: fields.payload.value, qos: Number(fields.qos.value), retain: fields.retain.checked };
  return { body, shown: `${body.topic}\n${body.payload}` };
}, () => ["published", "system"]);

find("#speak-alexa select").addEventListener("change", showSlots);

// --- Tabs and views -------------------------------------------------------------------------------------------------

for (const list of document.querySelectorAll('[role="tablist"]')) {
  const tabs = [...list.children];
  const select = (chosenTab) => {
    for (const tab of tabs) {
      tab.ariaSelected = String(tab === chosenTab);
      tab.tabIndex = tab === chosenTab ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosenTab;
    }
  };
  list.addEventListener("click", (event) => tabs.includes(event.target) && select(event.target));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step && tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
    if (next) {
      select(next);
      next.focus();
    }
  });
  select(tabs[0]);
}

find(".views").addEventListener("click", (event) => {
  const view = event.target.dataset.show;
  if (!view) return;
  document.body.dataset.view = view;
  for (const button of find(".views").children) button.ariaPressed = String(button === event.target);
});

// --- Looking every second -------------------------------------------------------------------------------------------

const live = { started: null, counts: "", plugins: null, due: 0, again: true, answered: Date.now(), wake: () => {} };

/** The number behind which everything may have changed since the last look. */
function after() {
  if (live.again) return 0;
  const old = Date.now() / 1000 - UNSETTLED;
  const open = [...events.values()].filter((entry) => entry.received > old || state(entry) === "waiting");
  return Math.min(Math.max(0, ...events.keys()), ...open.map((entry) => entry.number - 1));
}

async function look() {
  const { status, events: entries } = await ask(`events?after=${after()}`);
  if (live.started !== null && status.started !== live.started) location.reload(); // another process, with another token
  const changed = entries.filter((entry) => JSON.stringify(events.get(entry.number)) !== JSON.stringify(entry));
  for (const entry of changed) events.set(entry.number, entry);
  const counts = JSON.stringify(status.counts);
  live.again = counts !== live.counts; // an old event may have been delivered again
  showStatus(status);
  if (changed.length || live.started === null) await Promise.all([showEvents(), showOutbox(), showTopics()]);
  if (status.plugins !== live.plugins || Date.now() / 1000 > live.due) await showPlugins();
  if (changed.some((entry) => entry.number === chosen())) await showDetails();
  Object.assign(live, { started: status.started, counts, plugins: status.plugins, answered: Date.now() });
}

function showStatus({ mqtt, destinations, uptime, counts }) {
  const items = [
    { name: "MQTT", value: mqtt.connected ? mqtt.url : `not connected to ${mqtt.url}`, state: mqtt.connected ? "good" : "bad" },
    { name: "Texts to", value: destinations.text },
    { name: "Slack to", value: destinations.slack },
    { name: "Up", value: lasting(uptime) },
  ];
  show(find("#status"), items, (item) => item.name, (item) => h("li", { data: { state: item.state ?? "" } }, h("span", {}, item.name), " ", h("b", {}, item.value)));
  const counted = Object.entries(counts).filter(([, count]) => count > 0).sort(([name]) => (name === "events" ? -1 : 0));
  show(find("#counts"), counted, ([name]) => name, ([name, count]) => h("li", {}, h("b", {}, String(count)), ` ${name}`));
}

function showTopics() {
  const topics = new Set([...events.values()].filter((entry) => entry.kind === "mqtt" && entry.subject).map((entry) => entry.subject));
  show(find("#topics"), [...topics].sort(), (topic) => topic, (topic) => h("option", { value: topic }));
}

function showGone(error) {
  const since = CLOCK.format(new Date(live.answered));
  find("#banner").textContent = error.answered ? `The platform cannot answer: ${error.message}`
    : `The platform is gone: nobody answers at ${location.host} since ${since}. This page goes on by itself when it is back.`;
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

document.addEventListener("visibilitychange", () => live.wake());
showDetails();
lookForever();

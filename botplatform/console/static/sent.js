// What was sent: texts as a phone shows them, Slack messages, and what was published.

import { ask } from "./api.js";
import { find, h, showOr } from "./dom.js";
import { howItWent, slackText } from "./outcomes.js";
import { time } from "./words.js";

export async function showSent() {
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

// Speaking as a Slack user, to Alexa, and as a device.

import { post, reason } from "./api.js";
import { find, h, show } from "./dom.js";

let intents = [];
let session = null; // what Alexa keeps between two requests

/** Offer the intents that plugins declare, or say why Alexa is off. */
export function showIntents(declared, off) {
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

/** Offer topics that were heard of. */
export function showTopics(topics) {
  show(find("#topics"), topics, (topic) => topic, (topic) => h("option", { value: topic }));
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
    const lines = await post(name, body).then(answered, (error) => [reason(error), "failed"]);
    reply.textContent = lines[0];
    reply.parentElement.className = lines[1] ?? "reply";
    if (lines[2]) reply.parentElement.append(h("small", {}, lines[2]));
    chat.scrollTop = chat.scrollHeight;
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

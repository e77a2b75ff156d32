// Asks before something that cannot be undone.

import { find } from "./dom.js";

const dialog = find("#question");

/** Whether somebody says yes to a question; `act` is what the yes is called. */
export function confirmed(question, act) {
  find("#question-text").textContent = question;
  find("#yes").textContent = act;
  dialog.returnValue = "";
  dialog.showModal();
  find("#no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

find("#yes").addEventListener("click", () => dialog.close("yes"));
find("#no").addEventListener("click", () => dialog.close("no"));

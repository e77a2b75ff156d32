// Tabs, and the parts of the page of which a phone shows one at a time.

import { find } from "./dom.js";

/** Put the tab of a list in front. */
export function select(list, chosenTab) {
  for (const tab of list.children) {
    tab.ariaSelected = String(tab === chosenTab);
    tab.tabIndex = tab === chosenTab ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosenTab;
  }
}

for (const list of document.querySelectorAll('[role="tablist"]')) {
  const tabs = [...list.children];
  list.addEventListener("click", (event) => tabs.includes(event.target) && select(list, event.target));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step && tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
    if (!next) return;
    next.click();
    next.focus();
  });
  select(list, tabs[0]);
}

find(".views").addEventListener("click", (event) => {
  const view = event.target.dataset.show;
  if (!view) return;
  document.body.dataset.view = view;
  for (const button of find(".views").children) button.ariaPressed = String(button === event.target);
});

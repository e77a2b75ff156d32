// Building blocks of the page. What events hold comes from strangers: it becomes text nodes only, never HTML.

export const find = (selector) => document.querySelector(selector);

/** An element; strings among the children become text nodes, null, undefined and false are left out. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(element.dataset, value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that does something and cannot be pressed again before it is done. */
export function button(label, act, properties = {}) {
  const element = h("button", { type: "button", ...properties }, label);
  element.addEventListener("click", async () => {
    element.disabled = true;
    await act(element).finally(() => { element.disabled = false; });
  });
  return element;
}

/** Make the children of `list` show `items`; those that did not change stay the same elements, focus included. */
export function show(list, items, key, make) {
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
export function showOr(sentence, list, items, key, make) {
  if (items.length) show(list, items, key, make);
  else show(list, [sentence], () => "", () => h("p", { className: "empty" }, sentence));
}

function fresh(node, name, item) {
  node.dataset.key = name;
  node.shows = JSON.stringify(item);
  return node;
}

/** Go from link to link of a list with the arrow keys. */
export function arrowKeys(list) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const links = [...list.querySelectorAll("li:not([hidden]) > a")];
    const next = step && links[links.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
}

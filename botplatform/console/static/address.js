// What the page shows, as its address says it, so that a link to it can be shared:
//
//     #[dead-letters | event-<number> | dead-letter-<number>][?<filters>]
//
// Without a place it is the events. Filters are those of the API; a link that names none leaves them as they are.

const PLACE = /^#?(dead-letters|(event|dead-letter)-(\d+))?(\?.*)?$/;
export const FILTERS = ["text", "source", "type", "subject", "handler", "verdict", "since", "until"];

const address = { list: "events", kind: "", number: 0, filters: new URLSearchParams() };

/** Take in what the address says now. */
export function read() {
  const [, place, kind = "", number = 0, filters] = PLACE.exec(location.hash) ?? [];
  address.kind = kind;
  address.number = Number(number);
  if (kind !== "event") address.list = place === "dead-letters" || kind === "dead-letter" ? "dead-letters" : "events";
  if (filters !== undefined || !kind) address.filters = known(new URLSearchParams(filters ?? ""));
}

const known = (given) => new URLSearchParams([...given].filter(([name, value]) => FILTERS.includes(name) && value));

/** The list in front: "events" or "dead-letters". */
export const list = () => address.list;
/** The number of the event, or of the dead letter, whose details are open; 0 when there are none. */
export const chosen = (kind) => address.kind === kind ? address.number : 0;
export const filters = () => new URLSearchParams(address.filters);

/** The address of the list in front, or of another one, with the filters. */
export function listAddress(name = address.list) {
  const place = name === "events" ? "" : `#${name}`;
  return address.filters.size ? `${place || "#"}?${address.filters}` : place || location.pathname;
}

/** Search for something else, without a step in the browser's history for each key. */
export function search(wanted) {
  address.filters = known(wanted);
  history.replaceState(null, "", listAddress());
}

/** Back to the list when the details are closed. */
export function close() {
  address.kind = "";
  history.replaceState(null, "", listAddress());
}

/** Open another list. */
export function open(name) {
  Object.assign(address, { list: name, kind: "" });
  history.pushState(null, "", listAddress());
}

// JSON as somebody types it: its value, or where it stops being JSON. Browsers do not agree on how they tell the place.

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const SCALAR = new RegExp(`${STRING.source}|-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null`, "y");
const COLON = /:/y;
const BRACKETS = { "{": "}", "[": "]" };

/** {value} of a JSON text, or {wrong, place}: a sentence, and the character at which it goes wrong. */
export function readJson(text) {
  try {
    return { value: JSON.parse(text) };
  } catch {
    const place = firstWrong(text);
    const lines = text.slice(0, place).split("\n");
    const what = place < text.length ? `${JSON.stringify(text[place])} is not expected here` : "more is expected at its end";
    return { wrong: `This is no JSON: line ${lines.length}, column ${lines.at(-1).length + 1}: ${what}.`, place };
  }
}

/** The character at which a text that is no JSON stops being some. */
function firstWrong(text) {
  try {
    return space(text, value(text, 0));
  } catch (stopped) {
    if (typeof stopped !== "number") throw stopped;
    return stopped;
  }
}

/** Where a value that starts here ends; throws the place at which there is none. */
function value(text, start) {
  const at = space(text, start);
  const closing = BRACKETS[text[at]];
  return closing ? parts(text, at + 1, closing) : past(SCALAR, text, at);
}

function parts(text, start, closing) {
  let at = space(text, start);
  if (text[at] === closing) return at + 1;
  for (;;) {
    at = space(text, value(text, closing === "}" ? name(text, at) : at));
    if (text[at] === closing) return at + 1;
    if (text[at] !== ",") throw at;
    at += 1;
  }
}

const name = (text, at) => past(COLON, text, space(text, past(STRING, text, space(text, at))));
const space = (text, at) => past(SPACE, text, at);

function past(pattern, text, at) {
  pattern.lastIndex = at;
  if (!pattern.test(text)) throw at;
  return pattern.lastIndex;
}

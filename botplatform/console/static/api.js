// The API, as pages.py documents it.

const TOKEN = document.querySelector('meta[name="console-token"]').content;

/** What the platform answers; an Error says why not, and has `answered` where it was the platform that refused. */
export async function ask(path, options = {}) {
  const response = await fetch(`api/${path}`, { cache: "no-store", signal: AbortSignal.timeout(15_000), ...options });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { answered: true });
  return answer;
}

/** Have something done. Whoever shows what may have changed by it listens for "acted" on the window. */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-Console-Token": TOKEN };
  try {
    return await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  } finally {
    window.dispatchEvent(new Event("acted"));
  }
}

/** Why something was not done, for whoever asked for it. */
export const reason = (error) => error.answered ? error.message : "nobody answers";

// REST as this page's user. What changes something carries the token in the page's head: a page from elsewhere cannot read it.
import { base } from "loupe/base.js";

export const csrf = () => document.querySelector("meta[name=loupe-csrf]")?.content ?? "";

/**
 * The answer's JSON (null where it has none). `body` is sent as JSON, a form as it is. Throws an Error with the reason in words, its `status`
 * (0: no answer) and, of a 409, who was faster; a login that has ended leads to /login.
 */
export async function call(method, path, body, options = {}) {
  const form = body instanceof FormData;
  const headers = { "x-csrf-token": csrf(), ...(body === undefined || form ? {} : { "content-type": "application/json" }) };
  const answer = await fetch(`${base}/api/v1/${path}`, { method, headers, body: body === undefined || form ? body : JSON.stringify(body), ...options }).catch(() => null);
  if (!answer) throw Object.assign(new Error("The dashboard does not answer"), { status: 0 });
  if (answer.status === 401) toLogin();
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => null);
  throw Object.assign(new Error(problem?.detail ?? `${answer.status} ${answer.statusText}`), { status: answer.status, conflict: problem?.conflict });
}

/** A plain form's POST, which may set cookies and leads elsewhere. */
export function submit(path) {
  const form = Object.assign(document.createElement("form"), { method: "post", action: `${base}${path}`, hidden: true });
  form.append(Object.assign(document.createElement("input"), { name: "csrf", value: csrf() }));
  document.body.append(form);
  form.submit();
}

function toLogin() {
  location.assign(`${base}/login?next=${encodeURIComponent(location.pathname.slice(base.length) + location.search)}`);
}

/** Where the socket was refused or ended: is it the login that has? Then this page has nothing more to show. */
export async function leaveIfLoggedOut() {
  const answer = await fetch(`${base}/api/v1/session`).catch(() => null);
  if (answer && (answer.status === 401 || (await answer.json().catch(() => ({}))).must_change)) toLogin();
}

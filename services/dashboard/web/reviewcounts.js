// How many pictures wait for this user, by line; one count for the menu's badge and the page of reviews.
import { computed, reactive } from "vue";
import { call } from "loupe/rest.js";

const EVERY_MS = 15_000;

export const counts = reactive({ lines: [], known: false });
export const remaining = computed(() => counts.lines.reduce((sum, line) => sum + left(line), 0));

/** With this user: neither skipped by them nor with others now. */
export const left = (line) => Math.max(0, line.open + line.blind - line.claimed - line.skipped);

export async function recount() {
  const found = await call("GET", "review/counts").catch(() => null);
  if (found) Object.assign(counts, { lines: found.lines, known: true });
}

let started = false;

export function startCounting() {
  if (started) return;
  started = true;
  recount();
  setInterval(() => document.hidden || recount(), EVERY_MS);
}

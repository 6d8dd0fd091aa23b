// The pictures that lie ready for one user: those that are theirs now ("the hand", claimed and loaded), and the list of all that wait.
import { markRaw, reactive } from "vue";
import { Claims } from "loupe/claims.js";
import { call } from "loupe/rest.js";
import { Views } from "loupe/views.js";

const HAND = 3;
const PAGE = 100;
const PRELOADED = 2;
export const EVERYTHING = { state: "open", line: "", camera: "", kind: "", order: "uncertainty", score_from: "", score_to: "", defect_class: "", skipped: false };

export class Deck {
  /** `answers` on their way are no longer in the list; `lost(frameId, conflict)` where somebody else took one of the hand. */
  constructor({ user, mayAnswer, kept, answers, lost }) {
    Object.assign(this, { user, mayAnswer, answers, dealing: null, asks: 0, corrected: null });
    this.state = reactive({ asked: { ...EVERYTHING }, items: [], hand: [], problem: "", known: false });
    this.views = markRaw(new Views(kept));
    this.claims = mayAnswer ? markRaw(new Claims(() => this.held, (frameId, conflict) => this.lose(frameId, conflict, lost))) : null;
  }

  get dealsOut() {
    return this.mayAnswer && this.state.asked.state === "open";
  }

  /** What is this user's now; an answered one is, while they look whether to correct it. */
  get held() {
    return this.corrected ? [...this.state.hand, this.corrected] : this.state.hand;
  }

  get list() {
    const { hand, items, asked } = this.state;
    if (asked.state === "answered") return items;
    const mine = new Set(hand.map((item) => item.frame_id));
    return [...hand, ...items.filter((item) => !mine.has(item.frame_id) && !this.answers.waitsFor(item.frame_id))];
  }

  /** Looks again at what waits: others' answers are gone from it then. */
  async refresh() {
    const ask = ++this.asks;
    try {
      const found = await call("GET", `review?${new URLSearchParams({ ...given(this.state.asked), order: this.state.asked.order, limit: PAGE })}`);
      if (ask === this.asks) Object.assign(this.state, { items: found.items, problem: "", known: true });
    } catch (error) {
      this.state.problem = error.message;
    }
  }

  /** Takes and loads the next ones until the hand is full; `onDealt(item)` for each that comes. */
  deal(onDealt) {
    this.dealing ??= this.dealAll(onDealt).finally(() => (this.dealing = null));
    return this.dealing;
  }

  async dealAll(onDealt) {
    while (this.dealsOut && this.state.hand.length < HAND) {
      const asked = JSON.stringify(this.state.asked);
      const besides = [...this.state.hand, ...this.answers.state.waiting].map((one) => one.frame_id).slice(-200);
      const found = await call("POST", "review/next", { ...given(this.state.asked), order: this.state.asked.order, besides }).catch(() => null);
      if (!found) return;
      if (asked !== JSON.stringify(this.state.asked) || this.has(found.frame_id)) this.release(found.frame_id); // asked for something else meanwhile
      else this.add(found);
      onDealt(found);
    }
  }

  has(frameId) {
    return this.state.hand.some((item) => item.frame_id === frameId);
  }

  /** At the end, or in front of all others. */
  add(item, { first = false } = {}) {
    this.state.hand = this.state.hand.filter((one) => one.frame_id !== item.frame_id);
    this.state.hand[first ? "unshift" : "push"](item);
    this.views.of(item);
  }

  remove(frameId) {
    for (const list of ["hand", "items"]) this.state[list] = this.state[list].filter((item) => item.frame_id !== frameId);
  }

  /** `item`, where it is claimed to be corrected; the one before goes back, unless its answer is on the way. */
  correct(item) {
    const before = this.corrected;
    this.corrected = item;
    if (before && before.frame_id !== item?.frame_id && !this.answers.waitsFor(before.frame_id)) this.release(before.frame_id);
  }

  release(frameId) {
    if (!this.has(frameId)) this.claims?.release(frameId);
  }

  lose(frameId, conflict, lost) {
    this.state.hand = this.state.hand.filter((item) => item.frame_id !== frameId);
    lost(frameId, conflict);
  }

  find(frameId) {
    return this.list.find((item) => item.frame_id === frameId) ?? null;
  }

  item(frameId) {
    return call("GET", `review/frames/${frameId}`);
  }

  beside(frameId, by) {
    const at = this.list.findIndex((item) => item.frame_id === frameId);
    return at < 0 ? this.list[0] : this.list[at + by];
  }

  /** What comes when this one is answered. */
  following(frameId) {
    return this.dealsOut ? (this.state.hand.find((item) => item.frame_id !== frameId) ?? null) : (this.beside(frameId, 1) ?? null);
  }

  /** Loads what may be looked at next, and lets go of what will not. */
  prepare(current, alsoKept) {
    const next = this.dealsOut ? this.state.hand : Array.from({ length: PRELOADED }, (_, index) => this.beside(current, index + 1)).filter(Boolean);
    for (const item of next) this.views.of(item);
    this.views.keep(new Set([current, ...next.map((item) => item.frame_id), ...alsoKept]));
  }

  /** What is held by another wish goes back. */
  letGo(besides) {
    const [left, kept] = [this.state.hand.filter((item) => item.frame_id !== besides), this.state.hand.filter((item) => item.frame_id === besides)];
    this.state.hand = kept;
    for (const item of left) this.release(item.frame_id);
  }

  close() {
    this.claims?.releaseAll();
    this.claims?.close();
  }
}

/** Wishes as REST takes them: nothing for what does not matter. */
function given({ kind, order, ...asked }) {
  const of = kind === "blind" ? { reason: "blind" } : kind ? { decision: kind } : {};
  return Object.fromEntries(Object.entries({ ...asked, ...of }).filter(([, value]) => value !== "" && value !== false));
}

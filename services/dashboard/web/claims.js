// Keeps the pictures of an open page with its user, and lets others have them when the page is left or nobody sits before it any more.
import { base } from "loupe/base.js";
import { call, csrf } from "loupe/rest.js";

const [SHORTEST_MS, LONGEST_MS] = [5_000, 60_000];
const IDLE_MS = 15 * 60_000;

export class Claims {
  /** `held()`: the frames; `lost(frameId, conflict)`: somebody else has it now. */
  constructor(held, lost) {
    Object.assign(this, { held, lost, every: LONGEST_MS, usedAt: Date.now() });
    this.used = () => (this.usedAt = Date.now());
    for (const kind of ["keydown", "pointerdown"]) window.addEventListener(kind, this.used, true);
    window.addEventListener("pagehide", (this.leave = () => this.releaseAll()));
    this.schedule();
  }

  /** Throws as `call` does. */
  async take(item) {
    const claim = await call("POST", `review/frames/${item.frame_id}/claim?correct=${!item.open}`);
    this.every = Math.max(SHORTEST_MS, Math.min(LONGEST_MS, (new Date(claim.until) - new Date(claim.at)) / 3));
    return claim;
  }

  schedule() {
    this.later = setTimeout(() => this.renew().finally(() => this.schedule()), this.every);
  }

  async renew() {
    if (Date.now() - this.usedAt > IDLE_MS) return;
    for (const item of this.held()) await this.take(item).catch((error) => error.conflict && this.lost(item.frame_id, error.conflict));
  }

  release(frameId) {
    return fetch(`${base}/api/v1/review/frames/${frameId}/claim`, { method: "DELETE", headers: { "x-csrf-token": csrf() }, keepalive: true }).catch(() => null);
  }

  releaseAll() {
    for (const item of this.held()) this.release(item.frame_id);
  }

  close() {
    clearTimeout(this.later);
    for (const kind of ["keydown", "pointerdown"]) window.removeEventListener(kind, this.used, true);
    window.removeEventListener("pagehide", this.leave);
  }
}

// A frame of the queue -> all that its editor shows, loaded before it is needed: picture, heat map, good part, and the mask to begin with.
import { markRaw, reactive } from "vue";
import { base } from "loupe/base.js";
import { tint } from "loupe/heat.js";
import { bitmap } from "loupe/live.js";
import { Mask } from "loupe/mask.js";
import { decodeInto } from "loupe/maskpng.js";
import { greyOf, seed } from "loupe/seed.js";

const USUAL_THRESHOLD = 0.5;

/** Views by frame; `keep` lets go of all others. */
export class Views {
  constructor(kept) {
    Object.assign(this, { kept, known: new Map() });
  }

  /** Begins to load it where it is not known yet, or where the caller may see more of it by now. */
  of(item) {
    const known = this.known.get(item.frame_id);
    if (known && known.blind === item.blind && !known.problem) return known;
    const view = markRaw(new View(item));
    this.known.set(item.frame_id, view);
    view.loading = view.load(this.kept);
    return view;
  }

  keep(frameIds) {
    for (const frameId of [...this.known.keys()]) if (!frameIds.has(frameId)) this.drop(frameId);
  }

  drop(frameId) {
    this.known.get(frameId)?.close();
    this.known.delete(frameId);
  }
}

/** One frame's pictures, its mask, and what is chosen for it. */
class View {
  constructor(item) {
    Object.assign(this, { item, frameId: item.frame_id, blind: item.blind, picture: null, heat: null, grey: null, mask: null, good: null, problem: "" });
    this.state = reactive({ ready: false, threshold: item.machine?.calibration?.map_threshold ?? USUAL_THRESHOLD, defectClass: item.verdict?.defect_class ?? null, edited: false, good: null, goodId: "", goodKnown: false });
  }

  async load(kept) {
    const [picture, map, draft, given] = await Promise.all([
      fetched(`${this.frameId}/image`),
      this.item.machine?.has_map ? fetched(`${this.frameId}/map`) : null,
      kept.get("drafts", this.frameId).catch(() => null),
      this.item.verdict?.mask_path ? fetched(`${this.frameId}/mask?verdict_id=${this.item.verdict.verdict_id}`) : null,
    ]);
    [this.picture, this.map] = await Promise.all([bitmap(picture), bitmap(map)]);
    if (!this.picture) this.problem = picture ? "Its bytes are no picture that a browser can show" : "Its picture cannot be had now";
    if (this.map) this.grey = greyOf(this.map);
    if (this.map) this.heat = tint(this.map, this.state.threshold);
    if (this.picture) await this.beginMask(draft, await bitmap(given));
    this.state.ready = true;
    this.loadGood(); // beside it, and not waited for
    return this;
  }

  /** A draft that was left; else what was answered; else what the machine marked. */
  async beginMask(draft, given) {
    this.mask = new Mask(this.picture.width, this.picture.height);
    if (draft?.threshold !== undefined) this.state.threshold = draft.threshold;
    if (draft?.defect_class !== undefined) this.state.defectClass = draft.defect_class;
    if (draft?.png && (await decodeInto(this.mask, draft.png))) this.state.edited = true;
    else if (given && given.width === this.mask.width && given.height === this.mask.height) this.mask.bits.set(greyOf(given).values.map((grey) => (grey > 127 ? 1 : 0)));
    else if (!this.item.verdict) this.seed();
    this.mask.begin();
  }

  /** Whether the machine's own mask, at the threshold that is set, has any pixel. */
  marks() {
    const { width, height } = this.mask;
    return this.grey !== null && seed({ bits: new Uint8Array(width * height), width, height }, this.grey, this.state.threshold) !== null;
  }

  /** The mask is the machine's own again; nothing where there is no map. */
  seed() {
    if (!this.grey) return;
    seed(this.mask, this.grey, this.state.threshold);
    this.mask.touch(this.mask.whole());
  }

  async loadGood() {
    const answer = await fetch(`${base}/api/v1/review/frames/${this.frameId}/reference`).catch(() => null);
    this.state.goodKnown = answer?.status === 404;
    if (!answer?.ok || this.closed) return;
    const blob = await answer.blob();
    this.good = await bitmap(blob);
    this.state.good = URL.createObjectURL(blob);
    this.state.goodId = answer.headers.get("x-loupe-frame") ?? "";
  }

  close() {
    this.closed = true;
    if (this.state.good) URL.revokeObjectURL(this.state.good);
    for (const one of [this.picture, this.map, this.good]) one?.close();
  }
}

async function fetched(path) {
  const answer = await fetch(`${base}/api/v1/review/frames/${path}`).catch(() => null);
  return answer?.ok ? answer.blob() : null;
}

// What the page of models says of a version: its state, the measures, its thresholds and what they promise.
import { count, percent } from "loupe/words.js";

export const STATES = {
  judges: { word: "Judges", icon: "signal", tone: "ok" },
  judged: { word: "Judged before", icon: "clock", tone: "calm" },
  candidate: { word: "Candidate", icon: "plus", tone: "calm" },
  refused: { word: "Refused", icon: "cross", tone: "bad" },
  "insufficient evidence": { word: "Too little evidence", icon: "help", tone: "warn" },
};
const plain = (value) => value.toFixed(3);
/** `more`: a larger one is better. */
export const MEASURES = [
  { name: "image_auroc", word: "Image AUROC", more: true, show: plain },
  { name: "image_ap", word: "Image AP", more: true, show: plain },
  { name: "pixel_ap", word: "Pixel AP", more: true, show: plain },
  { name: "false_rejects", word: "Good parts flagged", more: false, show: percent },
  { name: "recall", word: "Defects flagged", more: true, show: percent },
];

export const thresholdsOf = (one) => (one.activations.length ? [one.activations[0].calibration.review, one.activations[0].calibration.fail] : null);

/** What was measured of a version that no gate had as its candidate: by the newest report that compared another one with it. */
export function byChampion(one, versions) {
  const report = versions.find((other) => other.parent === one.id && Object.keys(other.measures).length);
  return Object.fromEntries(Object.entries(report?.measures ?? {}).map(([name, found]) => [name, found.champion]));
}

export function promiseOf(one) {
  if (!one || one.promised === null) return "nothing is known";
  const most = `at most ${percent(one.promised)} of good parts`;
  return one.kept || one.asked === null ? most : `${most}, not the ${percent(one.asked)} that was asked for (takes ${count(one.groups_needed)} groups)`;
}

/** Bytes -> words. */
export const size = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

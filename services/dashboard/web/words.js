// Values -> the words, icons and tones that every page uses for them.

export const DECISIONS = {
  pass: { word: "OK", icon: "check", tone: "ok" },
  review: { word: "Review", icon: "eye", tone: "warn" },
  fail: { word: "NG", icon: "cross", tone: "bad" },
};
const OUTCOMES = {
  recorded: { word: "Recorded", icon: "record", tone: "calm" },
  failed: { word: "Unreadable", icon: "broken", tone: "bad" },
  late: { word: "Late", icon: "clock", tone: "warn" },
};
export const STATES = {
  live: { word: "Live", icon: "signal", tone: "ok" },
  recording: { word: "Recording", icon: "record", tone: "calm" },
  paused: { word: "Paused", icon: "pause", tone: "warn" },
  "no-signal": { word: "No signal", icon: "nosignal", tone: "bad" },
};
export const CAMERA_STATES = {
  up: { word: "up", icon: "signal", tone: "ok" },
  down: { word: "down", icon: "nosignal", tone: "bad" },
  paused: { word: "paused", icon: "pause", tone: "warn" },
};
const UNKNOWN = { word: "Unknown", icon: "dash", tone: "calm" };

export const decisionOf = (part) => (part ? (DECISIONS[part.decision] ?? OUTCOMES[part.outcome] ?? UNKNOWN) : UNKNOWN);
export const stateOf = (state) => STATES[state] ?? STATES["no-signal"];
export const cameraOf = (state) => CAMERA_STATES[state] ?? { ...UNKNOWN, word: "unknown" };

const missing = (value) => value === null || value === undefined;

export const count = (value) => (missing(value) ? "–" : Math.round(value).toLocaleString("en"));
export const score = (value) => (missing(value) ? "–" : value.toFixed(value < 0.1 ? 3 : 2));
export const percent = (value) => (missing(value) ? "–" : `${(value * 100).toFixed(1)} %`);
export const rate = (value) => (missing(value) ? "–" : `${value.toFixed(1)} /s`);
export const short = (id) => (id ? id.slice(0, 12) : "–");

/** Milliseconds -> words. Negative: the camera's clock runs ahead of ours. */
export function latency(ms) {
  if (missing(ms)) return "–";
  if (ms < 0) return "clock skew";
  return ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** A span in seconds -> words. */
export const span = (seconds) => (missing(seconds) ? "–" : seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`);

export function clock(at, zone, seconds = true) {
  const format = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone, ...(seconds ? { second: "2-digit" } : {}) };
  return new Intl.DateTimeFormat("en-GB", format).format(new Date(at));
}

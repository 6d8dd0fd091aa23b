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

export const BLIND = { word: "Blind check", icon: "eye", tone: "calm" };

export const decisionOf = (part) => (part ? (DECISIONS[part.decision] ?? OUTCOMES[part.outcome] ?? UNKNOWN) : UNKNOWN);
export const stateOf = (state) => STATES[state] ?? STATES["no-signal"];
/** What people say of it: a defect by its class. */
export const verdictOf = (verdict) => (verdict.answer === "good" ? { word: "Good", icon: "check", tone: "ok" } : { word: verdict.defect_class ?? "Defect", icon: "cross", tone: "bad" });
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

/** A moment -> day and time, in the plant's zone where one is given, else in the viewer's. */
export function day(at, zone, seconds = false) {
  const format = { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone, ...(seconds ? { second: "2-digit" } : {}) };
  return new Intl.DateTimeFormat("en-GB", format).format(new Date(at));
}

/** How long ago, in one word for lists. */
export function ago(at, now) {
  const minutes = Math.max(0, (now - new Date(at)) / 60_000);
  return minutes < 1 ? "now" : minutes < 60 ? `${Math.round(minutes)} min` : minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} d`;
}

/** What a browser says of itself -> what people call it. */
export function browser(agent) {
  const name = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([sign]) => agent.includes(sign))?.[1];
  const system = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]].find(([sign]) => agent.includes(sign))?.[1];
  return name ? `${name}${system ? ` on ${system}` : ""}` : agent.slice(0, 40) || "A program";
}

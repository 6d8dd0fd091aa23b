// Packets of /ws/live -> reactive state and pictures. One WebSocket a page, shared by all its components.
//
// A packet is: length of the JSON (u32, big endian), the JSON, then `jpeg` and `map` bytes whose sizes the JSON names.
// Old values are worse than none: `signal()` turns false as soon as the dashboard, its store or the connection falls silent.
import { computed, reactive } from "vue";
import { base } from "loupe/base.js";
import { leaveIfLoggedOut } from "loupe/rest.js";

const SILENT_AFTER_MS = 3000;
const decoder = new TextDecoder();

export { base };

export const live = reactive({ link: "connecting", wall: null, charts: {}, parts: {}, heardAt: 0, now: Date.now() });
export const signal = computed(() => live.link === "open" && live.wall !== null && live.wall.signal && live.now - live.heardAt < SILENT_AFTER_MS);
export const why = computed(() => {
  if (live.link !== "open") return live.link === "connecting" ? "Connecting" : "No connection to the dashboard";
  if (live.wall === null) return "Waiting for the first report";
  return live.wall.signal ? "The dashboard does not answer" : live.wall.reason || "The live view does not answer";
});

const painters = new Map(); // line id -> set of functions (part, picture, map)
let view = { pictures: [], line: null };
let socket = null;
let wait = 500;

/** What this page looks at: the lines whose pictures it draws, and the one whose parts it lists. */
export function look(at) {
  view = { pictures: at.pictures ?? [], line: at.line ?? null };
  report();
}

/** Calls `paint(part, picture, map)` (ImageBitmaps or null) for every picture of a line; returns what ends that. */
export function onPicture(line, paint) {
  const all = painters.get(line) ?? new Set();
  painters.set(line, all.add(paint));
  return () => all.delete(paint);
}

export function start() {
  if (socket) return;
  connect();
  setInterval(() => (live.now = Date.now()), 500);
  document.addEventListener("visibilitychange", report);
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${base}/ws/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    live.link = "open";
    wait = 500;
    report();
  };
  socket.onmessage = (message) => receive(message.data);
  socket.onclose = () => {
    live.link = "closed";
    leaveIfLoggedOut();
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 5000);
  };
}

function report() {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ...view, hidden: document.hidden }));
}

function receive(packet) {
  const length = new DataView(packet).getUint32(0);
  const head = JSON.parse(decoder.decode(new Uint8Array(packet, 4, length)));
  if (head.kind === "wall") {
    live.wall = head;
    live.heardAt = live.now = Date.now();
  } else if (head.kind === "charts") live.charts = head.lines;
  else if (head.kind === "parts") live.parts = { line: head.line, list: head.parts };
  else if (head.kind === "picture") show(head, packet, 4 + length);
}

const decoding = new Map(); // line id -> the newest packet that came while the last one was being decoded

async function show(head, packet, start) {
  if (decoding.has(head.line)) return decoding.set(head.line, [head, packet, start]);
  decoding.set(head.line, null);
  const jpeg = new Blob([new Uint8Array(packet, start, head.jpeg)]);
  const map = new Blob([new Uint8Array(packet, start + head.jpeg, head.map)]);
  const [picture, heat] = await Promise.all([bitmap(jpeg), bitmap(map)]);
  for (const paint of painters.get(head.line) ?? []) paint(head.part, picture, heat);
  const next = decoding.get(head.line);
  decoding.delete(head.line);
  if (next) show(...next);
}

/** A picture's bytes -> ImageBitmap, or null where there are none or they cannot be read. The camera's orientation tag is ignored, as the inspector ignores it. */
export async function bitmap(blob) {
  if (!blob || !blob.size) return null;
  return createImageBitmap(blob, { imageOrientation: "none" }).catch(() => null);
}

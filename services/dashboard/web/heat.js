// Picture, anomaly map and regions -> one canvas. The heat map is blended here, so that every viewer has an opacity of their own.

const STOPS = [ // value of the map above its threshold -> colour
  [0.0, 94, 40, 150],
  [0.3, 205, 45, 100],
  [0.6, 250, 120, 40],
  [1.0, 255, 235, 120],
];

function colour(value) {
  const upper = Math.max(1, STOPS.findIndex(([at]) => at >= value));
  const [low, high] = [STOPS[upper - 1], STOPS[upper]];
  const share = (value - low[0]) / (high[0] - low[0]);
  return [1, 2, 3].map((channel) => low[channel] + share * (high[channel] - low[channel]));
}

/** Grey map (ImageBitmap) -> coloured canvas: clear well below the threshold, dense above it. */
export function tint(map, threshold) {
  const canvas = new OffscreenCanvas(map.width, map.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(map, 0, 0);
  const image = context.getImageData(0, 0, map.width, map.height);
  const table = lookup(threshold);
  for (let at = 0; at < image.data.length; at += 4) image.data.set(table[image.data[at]], at);
  context.putImageData(image, 0, 0);
  return canvas;
}

const tables = new Map();

function lookup(threshold) {
  const key = Math.round(threshold * 100);
  if (!tables.has(key)) tables.set(key, Array.from({ length: 256 }, (_, grey) => shade(grey / 255, threshold)));
  return tables.get(key);
}

function shade(value, threshold) {
  const foot = threshold * 0.6;
  const strength = Math.min(1, Math.max(0, (value - foot) / (Math.max(threshold, 0.02) * 1.15 - foot)));
  return [...colour(strength * Math.min(1, 0.35 + value * 0.65)), 235 * strength * strength * (3 - 2 * strength)];
}

/** Draws the picture as large as it fits; returns where it lies, in CSS pixels, or null where there is no room yet. */
export function paint(canvas, { picture, heat, opacity, regions = [], width, height, outline = null }) {
  const room = canvas.getBoundingClientRect();
  if (!room.width || !room.height) return null;
  const scale = window.devicePixelRatio || 1;
  resize(canvas, Math.round(room.width * scale), Math.round(room.height * scale));
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, room.width, room.height);
  const place = fit(picture ?? { width: width || 4, height: height || 3 }, room);
  if (picture) context.drawImage(picture, ...place);
  if (heat && opacity > 0) blend(context, heat, place, opacity);
  if (outline) frame(context, regions, place, width, height, outline);
  return place;
}

function resize(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

function fit(picture, room) {
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return [(room.width - width) / 2, (room.height - height) / 2, width, height];
}

function blend(context, heat, place, opacity) {
  context.globalAlpha = opacity;
  context.imageSmoothingQuality = "high";
  context.drawImage(heat, ...place);
  context.globalAlpha = 1;
}

function frame(context, regions, [left, top, wide, high], width, height, outline) {
  if (!width || !height) return;
  context.lineWidth = 1.5;
  context.strokeStyle = outline;
  for (const region of regions) {
    const margin = 4; // a box that touches the defect hides its edge
    const [x, y] = [left + (region.x / width) * wide - margin, top + (region.y / height) * high - margin];
    context.beginPath();
    context.roundRect(x, y, (region.width / width) * wide + 2 * margin, (region.height / height) * high + 2 * margin, 4);
    context.stroke();
  }
}

// An anomaly map and a threshold -> a mask: the very pixels that the server makes of them (services/review/masks.py).
//
// There OpenCV enlarges the map bilinearly, with weights of 11 bits in whole numbers; so it is done here, but only where the map is hot enough.

const ONE = 2048; // a weight of 1

/** ImageBitmap of a grey picture -> its values. */
export function greyOf(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8Array(width * height);
  for (let at = 0; at < values.length; at++) values[at] = data[4 * at];
  return { values, width, height };
}

/** Sets the mask's pixels where the enlarged map is at or above `threshold` (0..1); returns the box around them, or null where there are none. */
export function seed(mask, grey, threshold) {
  const least = Math.max(1, Math.ceil(threshold * 255)); // a threshold of 0 would make everything defective
  const [columns, rows] = [axis(mask.width, grey.width, true), axis(mask.height, grey.height, false)];
  const [runs, peaks] = [cells(columns), peaksOf(grey)];
  let box = null;
  mask.bits.fill(0);
  for (let y = 0; y < mask.height; y++) {
    const row = { upper: rows.first[y] * grey.width, lower: rows.second[y] * grey.width, above: rows.near[y], below: rows.far[y] };
    if (Math.max(peaks[rows.first[y]], peaks[rows.second[y]]) < least) continue;
    const found = seedRow(mask.bits, y * mask.width, grey.values, row, columns, runs, least);
    if (found) box = box ? { left: Math.min(box.left, found[0]), top: box.top, right: Math.max(box.right, found[1] + 1), bottom: y + 1 } : { left: found[0], top: y, right: found[1] + 1, bottom: y + 1 };
  }
  return box;
}

function seedRow(bits, start, values, { upper, lower, above, below }, { first, second, near, far }, runs, least) {
  let [leftmost, rightmost] = [-1, -1];
  for (const [from, to] of runs) {
    const [a, b, c, d] = [values[upper + first[from]], values[upper + second[from]], values[lower + first[from]], values[lower + second[from]]];
    if (a < least && b < least && c < least && d < least) continue;
    for (let x = from; x < to; x++) {
      const [top, bottom] = [a * near[x] + b * far[x], c * near[x] + d * far[x]];
      if ((((above * (top >> 4)) >> 16) + ((below * (bottom >> 4)) >> 16) + 2) >> 2 < least) continue;
      bits[start + x] = 1;
      if (leftmost < 0) leftmost = x;
      rightmost = x;
    }
  }
  return leftmost < 0 ? null : [leftmost, rightmost];
}

/** Where along the map each pixel lies: between which two values, and with what weights. */
function axis(size, values, pinned) {
  const found = { first: new Int32Array(size), second: new Int32Array(size), near: new Int32Array(size), far: new Int32Array(size) };
  const scale = values / size;
  for (let at = 0; at < size; at++) {
    const place = Math.fround((at + 0.5) * scale - 0.5);
    let [index, share] = [Math.floor(place), Math.fround(place - Math.floor(place))];
    if (pinned && (index < 0 || index >= values - 1)) [index, share] = [index < 0 ? 0 : values - 1, 0];
    found.first[at] = Math.min(Math.max(index, 0), values - 1);
    found.second[at] = Math.min(Math.max(index + 1, 0), values - 1);
    found.near[at] = whole(Math.fround(Math.fround(1 - share) * ONE));
    found.far[at] = whole(Math.fround(share * ONE));
  }
  return found;
}

/** Rounded half to even, as the processor does it. */
function whole(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** Pixels between the same two values: [first, behind the last]. */
function cells({ first, second }) {
  const found = [];
  for (let from = 0; from < first.length; ) {
    let to = from + 1;
    while (to < first.length && first[to] === first[from] && second[to] === second[from]) to++;
    found.push([from, to]);
    from = to;
  }
  return found;
}

function peaksOf({ values, width, height }) {
  return Array.from({ length: height }, (_, row) => values.subarray(row * width, (row + 1) * width).reduce((most, value) => (value > most ? value : most), 0));
}

// A mask in the picture's own pixels: brush, eraser and polygons with hard edges, in steps that can be taken back.

const MOST_BYTES = 96 * 2 ** 20; // of steps to take back; the oldest go first

export class Mask {
  constructor(width, height) {
    Object.assign(this, { width, height, done: [], undone: [] });
    this.bits = new Uint8Array(width * height); // 1: defective
    this.kept = new Uint8Array(width * height); // as the last step left it: a step is read off the two, so that none copies the whole
    this.touched = null; // box around what changed since the last step
  }

  disc(x, y, radius, value) {
    for (let row = Math.max(0, Math.ceil(y - radius - 0.5)); row <= Math.min(this.height - 1, Math.floor(y + radius - 0.5)); row++) {
      const half = Math.sqrt(Math.max(0, radius ** 2 - (row + 0.5 - y) ** 2));
      this.run(row, Math.ceil(x - half - 0.5), Math.floor(x + half - 0.5), value);
    }
  }

  /** From point to point with a round brush. */
  line(from, to, radius, value) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(0.5, radius / 4)));
    for (let step = 0; step <= steps; step++) {
      const share = step / steps;
      this.disc(from.x + share * (to.x - from.x), from.y + share * (to.y - from.y), radius, value);
    }
  }

  /** Pixels whose centre lies inside, by the even-odd rule. */
  polygon(points, value) {
    const [top, bottom] = [Math.min(...points.map(({ y }) => y)), Math.max(...points.map(({ y }) => y))];
    for (let row = Math.max(0, Math.floor(top)); row <= Math.min(this.height - 1, Math.ceil(bottom)); row++) {
      const crossed = crossings(points, row + 0.5);
      for (let at = 0; at + 1 < crossed.length; at += 2) this.run(row, Math.ceil(crossed[at] - 0.5), Math.ceil(crossed[at + 1] - 0.5) - 1, value);
    }
  }

  /** One row, from one pixel to another, both within. */
  run(row, from, to, value) {
    const [first, last] = [Math.max(0, from), Math.min(this.width - 1, to)];
    if (first > last) return;
    this.bits.fill(value, row * this.width + first, row * this.width + last + 1);
    this.touch({ left: first, top: row, right: last + 1, bottom: row + 1 });
  }

  clear() {
    this.bits.fill(0);
    this.touch(this.whole());
  }

  whole() {
    return { left: 0, top: 0, right: this.width, bottom: this.height };
  }

  /** The rows that have any defective pixel, or null. */
  bounds() {
    const first = this.bits.indexOf(1);
    return first < 0 ? null : { left: 0, top: Math.floor(first / this.width), right: this.width, bottom: Math.floor(this.bits.lastIndexOf(1) / this.width) + 1 };
  }

  touch(box) {
    this.touched = around(this.touched, box);
  }

  get empty() {
    return !this.bits.includes(1);
  }

  /** What changed since the last step becomes one; false where nothing did. */
  step() {
    const box = this.touched && changed(this, this.touched);
    this.touched = null;
    if (!box) return false;
    this.done.push({ box, before: cut(this.kept, this.width, box), after: cut(this.bits, this.width, box) });
    paste(this.kept, this.width, box, this.done.at(-1).after);
    this.undone = [];
    forget(this.done);
    return true;
  }

  /** As it stands now is where it begins: nothing before can be taken back. */
  begin() {
    this.kept.set(this.bits);
    Object.assign(this, { touched: null, done: [], undone: [] });
  }

  /** Back to the last step; returns the box to paint anew, or null. */
  revert() {
    const box = this.touched;
    if (box) paste(this.bits, this.width, box, cut(this.kept, this.width, box));
    this.touched = null;
    return box;
  }

  undo() {
    return this.turn(this.done, this.undone, "before");
  }

  redo() {
    return this.turn(this.undone, this.done, "after");
  }

  turn(from, to, side) {
    const step = from.pop();
    if (!step) return null;
    for (const bits of [this.bits, this.kept]) paste(bits, this.width, step.box, step[side]);
    to.push(step);
    return step.box;
  }
}

export function around(one, other) {
  if (!one || !other) return one ?? other;
  return { left: Math.min(one.left, other.left), top: Math.min(one.top, other.top), right: Math.max(one.right, other.right), bottom: Math.max(one.bottom, other.bottom) };
}

function crossings(points, y) {
  const found = [];
  points.forEach((one, index) => {
    const other = points[(index + 1) % points.length];
    if (one.y <= y === other.y <= y) return;
    found.push(one.x + ((y - one.y) / (other.y - one.y)) * (other.x - one.x));
  });
  return found.sort((one, other) => one - other);
}

/** The smallest box within `box` around pixels that differ from the last step, or null. */
function changed({ bits, kept, width }, box) {
  let found = null;
  for (let row = box.top; row < box.bottom; row++) {
    let [first, last] = [row * width + box.left, row * width + box.right - 1];
    while (first <= last && bits[first] === kept[first]) first++;
    while (last > first && bits[last] === kept[last]) last--;
    if (first <= last) found = around(found, { left: first - row * width, top: row, right: last - row * width + 1, bottom: row + 1 });
  }
  return found;
}

function cut(bits, width, { left, top, right, bottom }) {
  const found = new Uint8Array((right - left) * (bottom - top));
  for (let row = top; row < bottom; row++) found.set(bits.subarray(row * width + left, row * width + right), (row - top) * (right - left));
  return found;
}

function paste(bits, width, { left, top, right, bottom }, patch) {
  const wide = right - left;
  for (let row = top; row < bottom; row++) bits.set(patch.subarray((row - top) * wide, (row - top + 1) * wide), row * width + left);
}

function forget(steps) {
  let bytes = steps.reduce((sum, { before }) => sum + 2 * before.length, 0);
  while (bytes > MOST_BYTES && steps.length > 1) bytes -= 2 * steps.shift().before.length;
}

// A mask -> a canvas to lay over the picture: see-through inside, a full edge. Only the box that changed is painted anew.
import { around } from "loupe/mask.js";

const [INSIDE, EDGE] = [0x48ffa01e, 0xffffa01e]; // ABGR: a blue that no heat map has
const EDGE_WIDTH = 1.8; // CSS pixels

export class Overlay {
  constructor(mask) {
    this.mask = mask;
    this.edge = 1;
    this.reached = null; // box around all that was painted
    this.canvas = new OffscreenCanvas(mask.width, mask.height);
    this.context = this.canvas.getContext("2d");
    this.refreshAll();
  }

  /** The edge stays as wide on the screen, however far it is zoomed. */
  scaled(scale) {
    const edge = Math.max(1, Math.min(24, Math.round(EDGE_WIDTH / scale)));
    if (edge === this.edge) return;
    this.edge = edge;
    this.refreshAll();
  }

  refreshAll() {
    const box = around(this.reached, this.mask.bounds());
    this.reached = null;
    this.refresh(box);
  }

  refresh(box) {
    if (!box) return;
    this.reached = around(this.reached, box);
    const { mask, edge } = this;
    const [left, top, right, bottom] = [Math.max(0, box.left - edge), Math.max(0, box.top - edge), Math.min(mask.width, box.right + edge), Math.min(mask.height, box.bottom + edge)];
    if (left >= right || top >= bottom) return;
    const image = new ImageData(right - left, bottom - top);
    const colours = new Uint32Array(image.data.buffer);
    for (let y = top, to = 0; y < bottom; y++) for (let x = left, at = y * mask.width + left; x < right; x++, at++, to++) if (mask.bits[at]) colours[to] = isEdge(mask, x, y, at, edge) ? EDGE : INSIDE;
    this.context.putImageData(image, left, top);
  }
}

function isEdge({ bits, width, height }, x, y, at, edge) {
  if (x < edge || y < edge || x >= width - edge || y >= height - edge) return true;
  const slant = Math.round(0.7 * edge);
  const [down, aslant] = [edge * width, slant * width];
  return !(bits[at - edge] && bits[at + edge] && bits[at - down] && bits[at + down] && bits[at - aslant - slant] && bits[at - aslant + slant] && bits[at + aslant - slant] && bits[at + aslant + slant]);
}

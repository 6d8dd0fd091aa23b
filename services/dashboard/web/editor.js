// The picture with heat map and mask, to be looked at and drawn on: by mouse, pen and fingers, or with the arrow keys.
//
// Two fingers move and zoom whatever the tool; so do the wheel, the middle button, and the space bar held down.
import { markRaw } from "vue";
import { around } from "loupe/mask.js";
import { Overlay } from "loupe/overlay.js";
import { Stage } from "loupe/stage.js";

const CLOSING = 10; // CSS pixels around a polygon's first point
const STEP = 1.25; // of zooming by key
const ERASER_BUTTON = 32; // of a pen, in `buttons`

export const Editor = {
  props: { view: Object, heat: Number, mask: Boolean, tool: String, size: Number, readonly: Boolean, compare: Boolean },
  emits: ["drawn", "painted", "history"],
  data: () => ({ panning: false, cursor: null, byKey: false }),
  watch: {
    view: "show",
    heat: "draw",
    mask: "draw",
    compare: "draw",
    size: "draw",
    tool: "dropPolygon",
  },
  mounted() {
    Object.assign(this, markRaw({ stage: new Stage(), pointers: new Map(), points: [], stroke: null, overlay: null, pressed: false }));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.$refs.canvas);
    this.$refs.canvas.addEventListener("wheel", this.wheel, { passive: false });
    window.addEventListener("loupe-theme", this.draw);
    this.show();
  },
  beforeUnmount() {
    this.observer.disconnect();
    cancelAnimationFrame(this.waiting);
    window.removeEventListener("loupe-theme", this.draw);
  },
  methods: {
    async show() {
      const view = this.view;
      Object.assign(this, { overlay: null, stroke: null, points: [], pressed: false, cursor: null });
      this.stage.whole();
      this.draw();
      if (!view) return;
      if (!view.state.ready) await view.loading;
      if (view !== this.view) return; // another one was opened meanwhile
      if (view.mask) this.overlay = markRaw(new Overlay(view.mask));
      this.draw();
      this.$emit("history", { undo: Boolean(view.mask?.done.length), redo: Boolean(view.mask?.undone.length) });
    },

    // Painting

    draw() {
      this.waiting ??= requestAnimationFrame(() => {
        this.waiting = null;
        if (this.$refs.canvas) this.paint(this.$refs.canvas);
      });
    },
    paint(canvas) {
      const room = canvas.getBoundingClientRect();
      if (!room.width || !room.height) return;
      const scale = window.devicePixelRatio || 1;
      const [width, height] = [Math.round(room.width * scale), Math.round(room.height * scale)];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, room.width, room.height);
      const ready = this.view?.state.ready && this.view.picture;
      if (ready) this.layers(context, room);
      const shown = ready ? this.view.frameId : "";
      if (canvas.dataset.frame !== shown) requestAnimationFrame(() => this.$emit("painted", shown));
      canvas.dataset.frame = shown;
      canvas.dataset.zoom = this.stage.zoom.toFixed(2);
    },
    layers(context, room) {
      const { view, stage } = this;
      const picture = this.compare && view.good ? view.good : view.picture;
      stage.fit({ width: view.picture.width, height: view.picture.height }, room);
      context.imageSmoothingEnabled = stage.scale < 3; // single pixels are to be seen as such
      context.imageSmoothingQuality = "high";
      context.drawImage(picture, ...stage.place);
      if (picture !== view.picture) return;
      if (view.heat && this.heat > 0) this.blend(context, view.heat, this.heat);
      context.imageSmoothingEnabled = stage.scale < 1;
      this.overlay?.scaled(stage.scale);
      if (this.mask && this.overlay) context.drawImage(this.overlay.canvas, ...stage.place);
      if (!this.readonly) this.marks(context);
    },
    blend(context, heat, opacity) {
      context.imageSmoothingEnabled = true;
      context.globalAlpha = opacity;
      context.drawImage(heat, ...this.stage.place);
      context.globalAlpha = 1;
    },
    marks(context) {
      if (this.points.length) this.outline(context);
      if (!this.cursor || this.tool === "pan" || this.panning) return;
      const { x, y } = this.stage.inCanvas(this.cursor);
      const radius = this.tool === "polygon" ? 4 : Math.max(1.5, (this.size / 2) * this.stage.scale);
      for (const [colour, width] of [["#000", 3], [this.pressed ? "#6bc4ff" : "#fff", 1.5]]) ring(context, x, y, radius, colour, width);
    },
    outline(context) {
      const [first, ...rest] = [...this.points, ...(this.cursor ? [this.cursor] : [])].map((point) => this.stage.inCanvas(point));
      for (const [colour, width] of [["#000", 3.5], ["#6bc4ff", 1.5]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: width });
        context.beginPath();
        context.moveTo(first.x, first.y);
        for (const { x, y } of rest) context.lineTo(x, y);
        context.stroke();
        ring(context, first.x, first.y, 4, colour, width);
      }
    },

    // Drawing

    down(event) {
      const canvas = this.$refs.canvas;
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      const at = this.at(event);
      this.pointers.set(event.pointerId, at);
      this.byKey = false;
      if (this.pointers.size === 2) return this.pinch();
      if (this.pointers.size > 2) return;
      if (event.button === 1 || this.panning || this.tool === "pan" || this.readonly) this.stroke = { moving: true };
      else if (event.button === 0 || event.button === 5) this.press(this.stage.inPicture(at), event);
      event.preventDefault();
    },
    move(event) {
      const [before, at] = [this.pointers.get(event.pointerId), this.at(event)];
      if (event.pointerType !== "touch" || before) this.cursor = this.stage.inPicture(at);
      if (before && this.pointers.size === 2) this.spread(event.pointerId, at);
      else if (before && this.stroke?.moving) this.stage.move(at.x - before.x, at.y - before.y);
      else if (before && this.stroke) for (const one of event.getCoalescedEvents?.() ?? []) this.drag(this.stage.inPicture(this.at(one)));
      if (before && this.stroke && !this.stroke.moving) this.drag(this.cursor);
      if (before) this.pointers.set(event.pointerId, at);
      this.draw();
    },
    up(event) {
      if (!this.pointers.delete(event.pointerId)) return;
      if (this.stroke && !this.stroke.moving) this.finish();
      if (!this.pointers.size) this.stroke = null;
      this.draw();
    },
    /** The browser took the pointer away: what it drew is no stroke. */
    cancel(event) {
      this.abandon();
      this.up(event);
    },
    leave() {
      if (!this.byKey) this.cursor = null;
      this.draw();
    },
    at(event) {
      const room = this.$refs.canvas.getBoundingClientRect();
      return { x: event.clientX - room.left, y: event.clientY - room.top };
    },
    press(point, event = {}) {
      if (!this.view?.mask || this.readonly) return;
      const removes = this.tool === "eraser" || event.shiftKey || Boolean(event.buttons & ERASER_BUTTON);
      if (this.tool === "polygon") return this.corner(point, removes);
      this.stroke = { last: point, value: removes ? 0 : 1 };
      this.drag(point);
    },
    drag(point) {
      const { mask } = this.view;
      mask.line(this.stroke.last, point, this.size / 2, this.stroke.value);
      this.overlay.refresh(lineBox(this.stroke.last, point, this.size / 2, mask));
      this.stroke.last = point;
      this.draw();
    },
    finish() {
      this.stroke = null;
      if (this.view.mask.step()) this.changed();
    },
    abandon() {
      if (this.stroke && !this.stroke.moving) this.overlay?.refresh(this.view.mask.revert());
      this.stroke = null;
    },
    pinch() {
      this.abandon();
      this.stroke = { moving: true };
    },
    spread(pointerId, at) {
      const [[, other]] = [...this.pointers].filter(([id]) => id !== pointerId);
      const before = this.pointers.get(pointerId);
      const [was, is] = [before, at].map((one) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) }));
      this.stage.zoomBy(is.apart / Math.max(1, was.apart), was);
      this.stage.move(is.x - was.x, is.y - was.y);
    },

    // Polygons

    corner(point, removes) {
      const [first] = this.points;
      const near = first && Math.hypot(first.x - point.x, first.y - point.y) * this.stage.scale < CLOSING;
      if (near && this.points.length > 2) return this.close(removes);
      if (!near) this.points.push(point);
      this.draw();
    },
    close(removes = false) {
      if (this.points.length < 3) return;
      const before = this.view.mask.touched;
      this.view.mask.polygon(this.points, removes ? 0 : 1);
      this.overlay.refresh(around(before, this.view.mask.touched));
      this.points = [];
      this.finish();
      this.draw();
    },
    dropPolygon() {
      this.points = [];
      this.draw();
    },

    // Steps, zoom, keys

    undo() {
      if (this.points.length) return this.points.pop() && this.draw();
      this.turned(this.view?.mask?.undo());
    },
    redo() {
      this.turned(this.view?.mask?.redo());
    },
    clear() {
      if (!this.view?.mask || this.readonly) return;
      this.view.mask.clear();
      this.overlay.refreshAll();
      this.finish();
      this.draw();
    },
    turned(box) {
      if (!box || this.readonly) return;
      this.overlay.refresh(box);
      this.changed();
      this.draw();
    },
    changed() {
      const { mask } = this.view;
      this.$emit("drawn");
      this.$emit("history", { undo: Boolean(mask.done.length), redo: Boolean(mask.undone.length) });
    },
    /** While the slider moves; a step only when it is let go. */
    seed(done) {
      if (!this.overlay || this.readonly) return;
      this.view.seed();
      this.overlay.refreshAll();
      if (done) this.finish();
      this.draw();
    },
    zoom(steps) {
      this.stage.zoomBy(STEP ** steps);
      this.draw();
    },
    whole() {
      this.stage.whole();
      this.draw();
    },
    wheel(event) {
      event.preventDefault();
      this.stage.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), this.at(event));
      this.draw();
    },
    key(event) {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (way && !event.altKey) this.steer(way, event.shiftKey);
      else if (event.key === "Enter" && !event.repeat) this.enter();
      else if (event.key === "Backspace" && this.points.length) this.undo();
      else if (event.key === "Escape" && (this.points.length || this.pressed)) this.lift();
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    steer([x, y], fine) {
      const picture = this.view?.picture;
      if (!picture) return;
      const from = this.cursor ?? { x: picture.width / 2, y: picture.height / 2 };
      const length = fine ? 1 : Math.max(2, this.size / 2);
      this.cursor = { x: Math.max(0, Math.min(picture.width, from.x + x * length)), y: Math.max(0, Math.min(picture.height, from.y + y * length)) };
      this.byKey = true;
      if (this.tool === "pan") this.stage.move(-24 * x, -24 * y);
      else if (this.pressed) this.drag(this.cursor);
      this.draw();
    },
    /** Pen down, pen up; of a polygon a corner, and where nothing moved since the last one, its end. */
    enter() {
      if (this.readonly || !this.view?.mask) return;
      const last = this.points.at(-1);
      if (this.tool === "polygon" && this.points.length > 2 && (!this.byKey || (last.x === this.cursor?.x && last.y === this.cursor?.y))) return this.close();
      this.byKey = true;
      this.cursor ??= { x: this.view.picture.width / 2, y: this.view.picture.height / 2 };
      if (this.tool === "polygon") return this.corner(this.cursor, false);
      if (this.pressed) return this.lift();
      this.pressed = this.tool !== "pan";
      if (this.pressed) this.press(this.cursor);
    },
    lift() {
      this.points = [];
      if (this.pressed) this.finish();
      this.pressed = false;
      this.draw();
    },
  },
  template: `
    <canvas ref="canvas" class="lp-canvas" :class="{ 'lp-panning': panning || tool === 'pan' || readonly }" tabindex="0" role="application" aria-label="Picture and mask. Arrow keys move the brush, Enter puts it down and lifts it"
      @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="cancel" @pointerleave="leave" @dblclick="close()" @contextmenu.prevent @keydown="key"></canvas>`,
};

function ring(context, x, y, radius, colour, width) {
  Object.assign(context, { strokeStyle: colour, lineWidth: width });
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function lineBox(from, to, radius, { width, height }) {
  const box = { left: Math.floor(Math.min(from.x, to.x) - radius) - 1, top: Math.floor(Math.min(from.y, to.y) - radius) - 1, right: Math.ceil(Math.max(from.x, to.x) + radius) + 1, bottom: Math.ceil(Math.max(from.y, to.y) + radius) + 1 };
  return { left: Math.max(0, box.left), top: Math.max(0, box.top), right: Math.min(width, box.right), bottom: Math.min(height, box.bottom) };
}

// Scores -> a histogram on a log-odds axis: what the machine decided above the line, what people said below it, and two handles.
// A handle is dragged, or moved by arrow keys (fine), page keys (coarse), Home and End; one never passes the other.
import { breadth } from "loupe/breadth.js";
import { odds, precise, scoreAt } from "loupe/odds.js";

const SIZE = { height: 268, top: 34, axis: 186, bottom: 244, left: 12, right: 12 };
const STEP = 0.05; // log-odds
const PAGE = 10 * STEP;
const BINS = 56;
const SMALLEST = 1; // log-odds on either side of what is shown
const TICKS = [0.00001, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
const HANDLES = { review: { word: "Review", tone: "warn" }, fail: { word: "NG", tone: "bad" } };
const LANES = [["pass", "ok"], ["review", "warn"], ["fail", "bad"]];

export const Histogram = {
  props: { scores: Object, thresholds: Object, inForce: Object, frozen: Boolean },
  emits: ["move"],
  mixins: [breadth({ least: 260, first: 900 })],
  data: () => ({ dragged: null }),
  computed: {
    all: ({ scores }) => [...Object.values(scores.recent).flat(), ...scores.good.map((one) => one.score), ...scores.defects],
    range: ({ all, inForce }) => {
      const shown = [...all, inForce.review, inForce.fail].map(odds);
      return { from: Math.min(...shown) - SMALLEST, to: Math.max(...shown) + SMALLEST };
    },
    bins: ({ width }) => Math.min(BINS, Math.floor(width / 9)),
    upper: ({ scores, bars, stacked }) => stacked(LANES.map(([name, tone]) => ({ tone, counts: bars(scores.recent[name] ?? []) })), SIZE.axis, SIZE.top - SIZE.axis),
    lower: ({ scores, bars, stacked }) =>
      stacked([{ tone: "ok", counts: bars(scores.good.map((one) => one.score)) }, { tone: "bad", counts: bars(scores.defects) }], SIZE.axis + 1, SIZE.bottom - SIZE.axis - 1),
    ticks: ({ range, x, width }) => spread(TICKS.filter((at) => odds(at) > range.from && odds(at) < range.to).map((at) => ({ at, x: x(at) })), width),
    bands: ({ thresholds, x, width }) => {
      const [review, fail] = [x(thresholds.review), x(thresholds.fail)];
      return [["ok", SIZE.left, review], ["warn", review, fail], ["bad", fail, width - SIZE.right]].map(([tone, from, to]) => ({ tone, from, width: Math.max(0, to - from) }));
    },
    handles: ({ thresholds, x }) =>
      Object.entries(HANDLES).map(([name, shown]) => {
        const other = name === "review" ? "fail" : "review";
        const back = x(thresholds.fail) - x(thresholds.review) < 76 && name === "review"; // labels side by side, not over each other
        return { name, ...shown, left: x(thresholds[name]), back, value: precise(thresholds[name]), other: thresholds[other] };
      }),
    summary: ({ scores }) => `${Object.entries(scores.recent).map(([name, found]) => `${found.length} ${name}`).join(", ")}; people called ${scores.good.length} good and ${scores.defects.length} defective`,
  },
  methods: {
    x(score) {
      const share = (odds(score) - this.range.from) / (this.range.to - this.range.from);
      return SIZE.left + Math.min(1, Math.max(0, share)) * (this.width - SIZE.left - SIZE.right);
    },
    bars(scores) {
      const counts = Array(this.bins).fill(0);
      for (const score of scores) counts[Math.min(this.bins - 1, Math.floor(((odds(score) - this.range.from) / (this.range.to - this.range.from)) * this.bins))] += 1;
      return counts;
    },
    stacked(lanes, foot, room) {
      const sums = lanes[0].counts.map((_, bin) => lanes.reduce((sum, lane) => sum + lane.counts[bin], 0));
      const most = Math.max(4, ...sums);
      const wide = (this.width - SIZE.left - SIZE.right) / this.bins;
      const below = Array(this.bins).fill(0);
      return lanes.flatMap((lane) =>
        lane.counts.flatMap((count, bin) => {
          if (!count) return [];
          const [from, to] = [below[bin], (below[bin] += count)].map((sum) => foot + Math.sign(room) * Math.sqrt(sum / most) * Math.abs(room)); // by the root, so that a few beside many are seen
          return [{ key: `${lane.tone}${bin}`, tone: lane.tone, x: SIZE.left + bin * wide + 1, y: Math.min(from, to), width: wide - 2, height: Math.max(1.5, Math.abs(to - from)) }];
        }),
      );
    },
    set(name, score) {
      const at = Math.min(this.range.to, Math.max(this.range.from, Math.round(odds(score) / STEP) * STEP));
      const least = name === "fail" ? odds(this.thresholds.review) + STEP : this.range.from;
      const most = name === "review" ? odds(this.thresholds.fail) - STEP : this.range.to;
      this.$emit("move", name, scoreAt(Math.min(most, Math.max(least, at))));
    },
    grab(name, event) {
      if (this.frozen) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      this.dragged = name;
    },
    drag(event) {
      if (!this.dragged) return;
      const share = (event.clientX - this.$refs.plot.getBoundingClientRect().left - SIZE.left) / (this.width - SIZE.left - SIZE.right);
      this.set(this.dragged, scoreAt(this.range.from + share * (this.range.to - this.range.from)));
    },
    key(name, event) {
      const by = { ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP, PageUp: PAGE, PageDown: -PAGE, Home: -Infinity, End: Infinity }[event.key];
      if (by === undefined || this.frozen) return;
      event.preventDefault();
      const to = Math.min(this.range.to, Math.max(this.range.from, odds(this.thresholds[name]) + by));
      this.set(name, scoreAt(to));
    },
  },
  template: `
    <div ref="plot" class="lp-histogram" @pointermove="drag" @pointerup="dragged = null" @pointercancel="dragged = null">
      <svg role="img" :aria-label="summary" :viewBox="'0 0 ' + width + ' ${SIZE.height}'" :width="width" height="${SIZE.height}">
        <rect v-for="band in bands" :key="band.tone" :class="'lp-' + band.tone" class="lp-band" :x="band.from" y="${SIZE.top}" :width="band.width" height="${SIZE.bottom - SIZE.top}" />
        <rect v-for="bar in upper" :key="'u' + bar.key" :class="'lp-' + bar.tone" class="lp-bin" :x="bar.x" :y="bar.y" :width="bar.width" :height="bar.height" />
        <rect v-for="bar in lower" :key="'l' + bar.key" :class="'lp-' + bar.tone" class="lp-bin lp-said" :x="bar.x" :y="bar.y" :width="bar.width" :height="bar.height" />
        <path class="lp-axis" :d="'M${SIZE.left} ${SIZE.axis + 0.5}H' + (width - ${SIZE.right})" />
        <g class="lp-tick"><text v-for="tick in ticks" :key="tick.at" :x="tick.x" y="${SIZE.height - 6}" text-anchor="middle">{{ tick.at }}</text></g>
        <text class="lp-lane" x="${SIZE.left + 4}" y="${SIZE.top + 14}">decided</text><text class="lp-lane" x="${SIZE.left + 4}" y="${SIZE.bottom - 5}">people said</text>
      </svg>
      <div v-for="handle in handles" :key="handle.name" class="lp-handle" :class="['lp-' + handle.tone, { 'lp-back': handle.back, 'lp-frozen': frozen }]" :data-handle="handle.name" :style="{ left: handle.left + 'px' }"
        role="slider" :tabindex="0" :aria-label="handle.word + ' threshold'" aria-orientation="horizontal" :aria-disabled="frozen" aria-valuemin="0" aria-valuemax="1" :aria-valuenow="handle.value" :aria-valuetext="'score ' + handle.value"
        @pointerdown="grab(handle.name, $event)" @keydown="key(handle.name, $event)"><b>{{ handle.word }} {{ handle.value }}</b><i></i></div>
    </div>`,
};

/** Labels that would touch are left out. */
function spread(ticks, width) {
  let last = -Infinity;
  return ticks.filter((tick) => tick.x > 24 && tick.x < width - 24 && tick.x - last > 58 && ((last = tick.x), true));
}

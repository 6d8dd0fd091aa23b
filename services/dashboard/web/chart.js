// Points of one quantity over time -> a small area chart as SVG. Colours come from the style sheet, so it follows the theme.
import { breadth } from "loupe/breadth.js";
import { clock } from "loupe/words.js";

const SIZE = { height: 168, left: 44, right: 10, top: 12, bottom: 24 };
const SHORTEST_MS = 10 * 60_000; // a young chart is not stretched over its first two points
const GAP_MS = 150_000;

export const Chart = {
  props: { title: String, unit: String, points: { type: Array, default: () => [] }, format: Function, zone: String, floor: { type: Number, default: 1 }, blank: Boolean },
  mixins: [breadth({ least: 220, first: 480 })],
  data: () => ({ near: null }),
  computed: {
    known: ({ points, blank }) => (blank ? [] : points.filter((point) => point.value !== null)),
    to: ({ known }) => (known.length ? known.at(-1).at : Date.now()),
    from: ({ known, to }) => Math.min(known.length ? known[0].at : to, to - SHORTEST_MS),
    top: ({ known, floor }) => ceiling(Math.max(floor, ...known.map((point) => point.value))),
    steps: ({ top }) => [0, 0.5, 1].map((share) => share * top),
    times: ({ from, to, width }) => (width < 300 ? [0, 1] : [0, 0.5, 1]).map((share) => from + share * (to - from)),
    latest: ({ known }) => known.at(-1)?.value ?? null,
    runs: ({ known }) => split(known),
    lines: ({ runs, x, y }) => runs.map((run) => `M${run.map((point) => `${x(point.at)} ${y(point.value)}`).join("L")}`),
    areas: ({ runs, lines, x }) => lines.map((line, index) => `${line}L${x(runs[index].at(-1).at)} ${SIZE.height - SIZE.bottom}L${x(runs[index][0].at)} ${SIZE.height - SIZE.bottom}Z`),
    summary: ({ title, unit, known, latest, format }) =>
      known.length ? `${title}: now ${format(latest)} ${unit}, between ${format(least(known))} and ${format(most(known))} ${unit}` : `${title}: no data yet`,
  },
  methods: {
    x(at) {
      return SIZE.left + ((at - this.from) / (this.to - this.from || 1)) * (this.width - SIZE.left - SIZE.right);
    },
    y(value) {
      return SIZE.height - SIZE.bottom - (value / this.top) * (SIZE.height - SIZE.top - SIZE.bottom);
    },
    time(at) {
      return clock(at, this.zone, false);
    },
    point(event) {
      const at = event.clientX - this.$refs.plot.getBoundingClientRect().left;
      const near = [...this.known].sort((one, other) => Math.abs(this.x(one.at) - at) - Math.abs(this.x(other.at) - at));
      this.near = near[0] ?? null;
    },
  },
  template: `
    <section class="lp-card lp-chart">
      <header><h3>{{ title }} <span>{{ unit }}</span></h3><output class="lp-now">{{ near ? time(near.at) + '  ' + format(near.value) : format(latest) }}</output></header>
      <div ref="plot" class="lp-plot" @pointermove="point" @pointerleave="near = null">
        <svg role="img" :aria-label="summary" :viewBox="'0 0 ' + width + ' ${SIZE.height}'" :width="width" height="${SIZE.height}">
          <g class="lp-grid"><path v-for="step in steps" :d="'M${SIZE.left} ' + y(step) + 'H' + (width - ${SIZE.right})" /></g>
          <g class="lp-tick"><text v-for="step in steps" x="${SIZE.left - 8}" :y="y(step) + 4" text-anchor="end">{{ format(step) }}</text></g>
          <g v-if="known.length" class="lp-tick">
            <text v-for="(at, index) in times" :x="x(at)" y="${SIZE.height - 6}" :text-anchor="index === 0 ? 'start' : index === times.length - 1 ? 'end' : 'middle'">{{ time(at) }}</text>
          </g>
          <path v-for="area in areas" class="lp-area" :d="area" />
          <path v-for="line in lines" class="lp-curve" :d="line" />
          <circle v-if="known.length && !near" class="lp-dot" :cx="x(to)" :cy="y(latest)" r="3" />
          <g v-if="near"><path class="lp-cross" :d="'M' + x(near.at) + ' ${SIZE.top}V${SIZE.height - SIZE.bottom}'" /><circle class="lp-dot" :cx="x(near.at)" :cy="y(near.value)" r="4" /></g>
        </svg>
        <p v-if="!known.length" class="lp-empty">{{ blank ? "No signal" : "Collecting the first minute" }}</p>
      </div>
    </section>`,
};

const least = (points) => Math.min(...points.map((point) => point.value));
const most = (points) => Math.max(...points.map((point) => point.value));

function ceiling(value) {
  const magnitude = 10 ** Math.floor(Math.log10(value));
  return magnitude * [1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * magnitude >= value * 0.999);
}

function split(points) {
  const runs = [];
  for (const point of points) {
    const run = runs.at(-1);
    if (run && point.at - run.at(-1).at <= GAP_MS) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

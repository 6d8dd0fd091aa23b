// Counts by hour or day -> stacked bars as SVG: NG at the foot, so that its height can be compared; colours come from the style sheet.
import { breadth } from "loupe/breadth.js";
import { clock, count } from "loupe/words.js";

const SIZE = { height: 132, left: 44, right: 6, top: 8, bottom: 22 };
const STEP_MS = { hour: 3_600_000, day: 86_400_000 };
const PARTS = [
  ["failed", "NG", "bad"],
  ["review", "Review", "warn"],
  ["passed", "OK", "ok"],
  ["others", "Not judged or hidden", "calm"],
];

export const CountBars = {
  props: { counts: Array, by: String, zone: String },
  mixins: [breadth({ least: 240, first: 600 })],
  data: () => ({ near: null, PARTS }),
  computed: {
    known: ({ counts }) => counts.map((one) => ({ ...one, at: new Date(one.at).getTime(), others: one.inspections - one.passed - one.review - one.failed })),
    step: ({ by }) => STEP_MS[by],
    from: ({ known }) => known[0]?.at ?? 0,
    many: ({ known, from, step }) => (known.length ? Math.round((known.at(-1).at - from) / step) + 1 : 1),
    slot: ({ width, many }) => Math.min(48, (width - SIZE.left - SIZE.right) / many),
    top: ({ known }) => Math.max(1, ...known.map((one) => one.inspections)),
    bars: ({ known, x, slot, height }) =>
      known.map((one) => {
        let foot = SIZE.height - SIZE.bottom;
        const parts = PARTS.filter(([name]) => one[name]).map(([name, , tone]) => ({ tone, high: height(one[name]), y: (foot -= height(one[name])) }));
        return { ...one, left: x(one.at), wide: Math.max(1, slot - Math.min(3, slot * 0.2)), parts };
      }),
    total: ({ known }) => known.reduce((sum, one) => sum + one.inspections, 0),
    ng: ({ known }) => known.reduce((sum, one) => sum + one.failed, 0),
    summary: ({ total, ng, by }) => `${count(total)} inspections, ${count(ng)} NG, by ${by}`,
    told: ({ near, total, ng, label }) => (near ? `${label(near.at)}  ${count(near.inspections)}, ${count(near.failed)} NG, ${count(near.review)} review` : `${count(total)}, ${count(ng)} NG`),
  },
  methods: {
    count,
    x(at) {
      return SIZE.left + ((at - this.from) / this.step) * this.slot;
    },
    height(value) {
      return (value / this.top) * (SIZE.height - SIZE.top - SIZE.bottom);
    },
    label(at) {
      const date = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: this.by === "day" ? "UTC" : this.zone }).format(at);
      return this.by === "day" ? date : `${date} ${clock(at, this.zone, false)}`;
    },
    point(event) {
      const at = event.clientX - this.$refs.plot.getBoundingClientRect().left;
      this.near = this.bars.find((bar) => at >= bar.left && at < bar.left + this.slot) ?? null;
    },
  },
  template: `
    <section class="lp-card lp-chart lp-counts" aria-label="Counts">
      <header><h2>Inspections <span>by {{ by }}</span></h2><output class="lp-now">{{ told }}</output></header>
      <div ref="plot" class="lp-plot" @pointermove="point" @pointerleave="near = null">
        <svg role="img" :aria-label="summary" :viewBox="'0 0 ' + width + ' ${SIZE.height}'" :width="width" height="${SIZE.height}">
          <g class="lp-grid"><path v-for="share in top % 2 ? [0, 1] : [0, 0.5, 1]" :d="'M${SIZE.left} ' + (${SIZE.height - SIZE.bottom} - height(share * top)) + 'H' + (width - ${SIZE.right})" /></g>
          <g v-if="known.length" class="lp-tick"><text v-for="share in top % 2 ? [0, 1] : [0, 0.5, 1]" x="${SIZE.left - 8}" :y="${SIZE.height - SIZE.bottom + 4} - height(share * top)" text-anchor="end">{{ count(share * top) }}</text></g>
          <g v-for="bar in bars" :key="bar.at" :class="{ 'lp-near': near && near.at === bar.at }"><rect v-for="part in bar.parts" :class="'lp-fill-' + part.tone" :x="bar.left" :y="part.y" :width="bar.wide" :height="part.high" /></g>
          <g v-if="known.length" class="lp-tick"><text :x="x(from)" y="${SIZE.height - 5}">{{ label(from) }}</text><text v-if="many * slot > 260" :x="x(from) + many * slot" y="${SIZE.height - 5}" text-anchor="end">{{ label(known.at(-1).at) }}</text></g>
        </svg>
        <p v-if="!known.length" class="lp-empty">Nothing in this time</p>
      </div>
      <ul class="lp-legend"><li v-for="[name, word, tone] in PARTS" :key="name"><i :class="'lp-fill-' + tone" aria-hidden="true"></i>{{ word }}</li></ul>
    </section>`,
};

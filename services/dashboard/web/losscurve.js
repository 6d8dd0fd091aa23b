// Points (stage, step, loss) of a training -> a curve a stage beside each other, on a logarithmic axis: losses fall by orders of magnitude.
import { breadth } from "loupe/breadth.js";
import { count } from "loupe/words.js";

const SIZE = { height: 168, left: 52, right: 10, top: 22, bottom: 22 };

export const LossCurve = {
  props: { points: Array },
  mixins: [breadth({ least: 240, first: 600 })],
  computed: {
    known: ({ points }) => points.filter(([, , loss]) => loss > 0),
    stages: ({ known }) => [...new Set(known.map(([stage]) => stage))],
    low: ({ known }) => Math.floor(Math.log10(Math.min(...known.map(([, , loss]) => loss)))),
    high: ({ known, low }) => Math.max(low + 1, Math.ceil(Math.log10(Math.max(...known.map(([, , loss]) => loss))))),
    decades: ({ low, high }) => Array.from({ length: high - low + 1 }, (_, index) => low + index),
    slot: ({ width, stages }) => (width - SIZE.left - SIZE.right) / Math.max(1, stages.length),
    curves: ({ known, stages, slot, y }) =>
      stages.map((stage, place) => {
        const own = known.filter(([name]) => name === stage);
        const [first, last] = [own[0][1], own.at(-1)[1]];
        const left = SIZE.left + place * slot;
        const x = (step) => left + 6 + ((step - first) / (last - first || 1)) * (slot - 16);
        return { stage, left, last, steps: count(last), path: `M${own.map(([, step, loss]) => `${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join("L")}`, end: [x(last), y(own.at(-1)[2])] };
      }),
    summary: ({ curves, known }) => (known.length ? `Loss: ${curves.map((one) => `${one.stage} to step ${one.steps}`).join(", ")}; now ${known.at(-1)[2].toPrecision(3)}` : "No loss yet"),
  },
  methods: {
    y(loss) {
      return SIZE.top + ((this.high - Math.log10(loss)) / (this.high - this.low)) * (SIZE.height - SIZE.top - SIZE.bottom);
    },
    power: (decade) => (decade < -3 || decade > 3 ? `1e${decade}` : String(10 ** decade)),
  },
  template: `
    <section class="lp-card lp-chart" aria-label="Loss">
      <header><h3>Loss <span>total, mean of the last steps</span></h3><output class="lp-now">{{ known.length ? known.at(-1)[2].toPrecision(3) : '–' }}</output></header>
      <div ref="plot" class="lp-plot">
        <svg role="img" :aria-label="summary" :viewBox="'0 0 ' + width + ' ${SIZE.height}'" :width="width" height="${SIZE.height}">
          <template v-if="known.length">
            <g class="lp-grid"><path v-for="decade in decades" :d="'M${SIZE.left} ' + y(10 ** decade) + 'H' + (width - ${SIZE.right})" /></g>
            <g class="lp-tick"><text v-for="decade in decades" x="${SIZE.left - 8}" :y="y(10 ** decade) + 4" text-anchor="end">{{ power(decade) }}</text></g>
            <g v-for="one in curves" :key="one.stage"><path class="lp-curve" :d="one.path" /><circle class="lp-dot" :cx="one.end[0]" :cy="one.end[1]" r="3" />
              <g class="lp-tick"><text :x="one.left + 6" y="${SIZE.top - 8}">{{ one.stage }}</text><text :x="one.left + 6" y="${SIZE.height - 6}">to step {{ one.steps }}</text></g></g>
          </template>
        </svg>
        <p v-if="!known.length" class="lp-empty">No step yet</p>
      </div>
    </section>`,
};

// The Live page: figures of the plant, a tile a line, the latest flagged parts, three charts.
import { Banners } from "loupe/banners.js";
import { Chart } from "loupe/chart.js";
import { Flagged } from "loupe/flagged.js";
import { HeatSlider, opacity } from "loupe/slider.js";
import { live, look, signal, start, why } from "loupe/live.js";
import { plantSeries } from "loupe/series.js";
import { Tile } from "loupe/tile.js";
import { count, latency, percent, span } from "loupe/words.js";

export default {
  components: { Banners, Chart, Flagged, HeatSlider, Tile },
  setup: () => ({ live, signal, why, opacity }),
  computed: {
    lines: ({ live }) => live.wall?.lines ?? [],
    ids: ({ lines }) => lines.map((line) => line.id).join(),
    totals: ({ live, signal }) => (signal ? live.wall.totals : {}),
    zone: ({ live }) => live.wall?.time_zone ?? "UTC",
    series: ({ live }) => plantSeries(live.charts),
    figures: ({ totals, signal }) => [
      { name: "Lines up", value: signal ? `${totals.lines_up}` : "–", note: signal ? `of ${totals.lines}` : "no signal" },
      { name: "Throughput", value: count(totals.parts_per_min), note: "parts / min" },
      { name: "Defect rate", value: percent(totals.defect_rate), note: signal ? `NG, last 5 min · ${percent(totals.review_rate)} to review` : "NG, last 5 min" },
      { name: "Latency p95", value: latency(totals.latency_p95_ms), note: "camera → decision" },
      { name: "Backlog", value: count(totals.lag), note: signal && totals.lag_s !== null ? `frames · ${span(totals.lag_s)} behind` : "frames waiting" },
    ],
  },
  watch: {
    ids: {
      immediate: true,
      handler() {
        look({ pictures: this.lines.map((line) => line.id) });
      },
    },
  },
  mounted: start,
  methods: { count, latency, percent, tenths: (value) => (value === null || value === undefined ? "–" : Number(value.toFixed(1)).toLocaleString("en")) },
  template: `
    <div class="lp-page" :data-signal="signal">
      <div class="lp-bar"><h1>Live</h1><HeatSlider /></div>
      <Banners />
      <dl class="lp-figures">
        <div v-for="figure in figures" class="lp-card" :key="figure.name"><dt>{{ figure.name }}</dt><dd>{{ figure.value }}</dd><dd class="lp-note">{{ figure.note }}</dd></div>
      </dl>
      <p v-if="!lines.length" class="lp-card lp-hint">
        <template v-if="signal">No lines yet. Add one with <code>loupe line add</code>, or in <code>loupe.toml</code>.</template>
        <template v-else>{{ why }}.</template>
      </p>
      <section class="lp-wall" aria-label="Lines"><Tile v-for="line in lines" :key="line.id" :line="line" :signal="signal" :why="why" :opacity="opacity.value" /></section>
      <Flagged :parts="signal ? live.wall.flagged : []" :lines="lines" :zone="zone" :signal="signal" />
      <section class="lp-charts" aria-label="The last hour">
        <Chart title="Throughput" unit="parts / min" :points="series.parts" :format="count" :zone="zone" :floor="10" :blank="!signal" />
        <Chart title="Defect rate" unit="% NG" :points="series.defects" :format="tenths" :zone="zone" :floor="5" :blank="!signal" />
        <Chart title="Latency p95" unit="ms" :points="series.latency" :format="count" :zone="zone" :floor="100" :blank="!signal" />
      </section>
    </div>`,
};

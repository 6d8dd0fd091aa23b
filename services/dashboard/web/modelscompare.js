// Two versions of a line in two columns of the same measures. Figures of one report are of the same parts; figures of two reports may not be, which is said.
import { Icon } from "loupe/icon.js";
import { MEASURES, byChampion, promiseOf, thresholdsOf } from "loupe/modelswords.js";
import { count, day, score, short } from "loupe/words.js";

export const ModelsCompare = {
  components: { Icon },
  props: { pair: Array, versions: Array, zone: String },
  emits: ["close"],
  computed: {
    /** Each one's figures, and whether both are of one report. */
    figures: ({ pair: [left, right], versions }) => {
      const told = (one) => Object.keys(one.measures).length > 0;
      if (right.parent === left.id && told(right)) return { of: [column(right, "champion"), column(right, "candidate")], same: true };
      if (left.parent === right.id && told(left)) return { of: [column(left, "candidate"), column(left, "champion")], same: true };
      const own = (one) => (told(one) ? column(one, "candidate") : byChampion(one, versions));
      return { of: [own(left), own(right)], same: false };
    },
    rows: ({ pair, figures, zone }) => [
      ...MEASURES.map(({ name, word, more, show }) => {
        const values = figures.of.map((found) => found[name] ?? null);
        const [left, right] = values.map((value) => (value === null ? null : more ? value : -value));
        return { word, shown: values.map((value) => (value === null ? "–" : show(value))), better: left === null || right === null || left === right ? null : left > right ? 0 : 1 };
      }),
      { word: "Review and NG from", shown: pair.map((one) => thresholdsOf(one)?.map(score).join(" · ") ?? "–") },
      { word: "Promise of review", shown: pair.map((one) => promiseOf(one.activations[0]?.review)) },
      { word: "Taught by", shown: pair.map((one) => (one.dataset ? `${short(one.dataset.id)}${one.dataset.pictures === null ? "" : `, ${count(one.dataset.pictures)} pictures`}` : "–")) },
      { word: "Made", shown: pair.map((one) => day(one.made_at, zone)) },
    ],
    measured: ({ figures }) => figures.of.every((found) => Object.keys(found).length),
  },
  mounted() {
    this.$el.scrollIntoView({ block: "nearest" });
  },
  methods: { short },
  template: `
    <section class="lp-card lp-listed lp-compare" aria-label="Comparison" :data-pair="pair.map((one) => one.id).join(' ')" :data-same="figures.same">
      <header><h2>Two versions beside each other</h2><button class="lp-button" type="button" aria-label="Close the comparison" @click="$emit('close')"><Icon name="cross" /></button></header>
      <p class="lp-quiet">{{ figures.same ? 'Both measured on the same held-out parts, by one gate report.' : measured ? 'Measured by different gate reports, maybe on different parts: small differences say little.' : 'No gate report measured both of them.' }}</p>
      <div class="lp-scroll"><table class="lp-table">
        <thead><tr><th scope="col">Measure</th><th v-for="one in pair" scope="col"><code>{{ short(one.id) }}</code> {{ one.name }}</th></tr></thead>
        <tbody><tr v-for="row in rows" :key="row.word"><th scope="row">{{ row.word }}</th>
          <td v-for="(value, place) in row.shown">{{ value }} <span v-if="row.better === place" class="lp-chip lp-ok"><Icon name="check" />better</span></td></tr></tbody>
      </table></div>
    </section>`,
};

const column = (one, who) => Object.fromEntries(Object.entries(one.measures).map(([name, found]) => [name, found[who]]));

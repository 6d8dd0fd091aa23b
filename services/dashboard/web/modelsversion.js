// One version, opened: what it is and judges, thresholds with what they promise, everybody who let it judge, and its card.
import { base } from "loupe/base.js";
import { Icon } from "loupe/icon.js";
import { STATES, promiseOf, size } from "loupe/modelswords.js";
import { call } from "loupe/rest.js";
import { count, day, score, short } from "loupe/words.js";

export const ModelsVersion = {
  components: { Icon },
  props: { one: Object, names: Object, zone: String, may: Boolean },
  emits: ["back", "close"],
  data: () => ({ found: null, problem: "" }),
  computed: {
    state: ({ one }) => STATES[one.state],
    mayReturn: ({ one, may }) => may && one.state === "judged" && one.activations.some((each) => !each.product),
    report: ({ one }) => `${base}/training?job=${encodeURIComponent(one.job)}`,
    facts: ({ one, found, names }) => [
      ["Version", one.id],
      ["Learnt from", one.parent ?? "–"],
      ["Dataset", one.dataset ? `${short(one.dataset.id)}${one.dataset.pictures === null ? "" : `: ${count(one.dataset.good)} good, ${count(one.dataset.defect)} defects`}` : "–"],
      ...(found ? [
        ["Judges now", found.lines.map((line) => names[line] ?? line).join(", ") || "no line"],
        ["Size", size(found.size)],
        ["Pictures", Object.entries(found.preprocessing).map(told).join(", ")],
        ["Network", Object.entries(found.config).map(told).join(", ")],
      ] : []),
    ],
    card: ({ found }) => JSON.stringify(found.card, null, 2),
  },
  watch: {
    "one.id": {
      immediate: true,
      async handler(id) {
        Object.assign(this, { found: null, problem: "" });
        try {
          const found = await call("GET", `models/${id}`);
          if (id === this.one.id) this.found = found;
        } catch (error) {
          if (id === this.one.id) this.problem = error.message;
        }
      },
    },
  },
  mounted() {
    this.$el.scrollIntoView({ block: "nearest" });
  },
  methods: { day, promiseOf, score, short },
  template: `
    <aside class="lp-card lp-opened" aria-labelledby="lp-version" :data-opened="one.id" :data-found="found !== null">
      <header><h2 id="lp-version">{{ one.name ?? 'Version' }} <code>{{ short(one.id) }}</code></h2><span class="lp-chip lp-large" :class="'lp-' + state.tone"><Icon :name="state.icon" />{{ state.word }}</span>
        <button v-if="mayReturn" class="lp-button" type="button" @click="$emit('back')"><Icon name="undo" />Roll back to it</button>
        <button class="lp-button" type="button" aria-label="Close" @click="$emit('close')"><Icon name="cross" /></button></header>
      <p v-if="problem" class="lp-problem" role="alert">{{ problem }}</p>
      <template v-if="one.answer"><h3>Gate</h3><ul class="lp-reasons"><li v-for="reason in one.reasons">{{ reason }}</li></ul><p><a :href="report">Whole report, on Training</a></p></template>
      <h3>Facts</h3>
      <dl class="lp-facts"><template v-for="[name, value] in facts" :key="name"><dt>{{ name }}</dt><dd>{{ value }}</dd></template></dl>
      <h3>Activations</h3>
      <ol v-if="one.activations.length" class="lp-lived"><li v-for="each in one.activations" :key="each.id" :data-activation="each.id">
        <div><b>{{ day(each.activated_at, zone) }}</b> by {{ each.activated_by || 'loupe.toml' }}<template v-if="each.product">, for product {{ each.product }}</template></div>
        <div v-if="each.reason">“{{ each.reason }}”</div>
        <small>Review from {{ score(each.calibration.review) }}: {{ promiseOf(each.review) }}. NG from {{ score(each.calibration.fail) }}: {{ promiseOf(each.fail) }}. <code>{{ each.calibration.calibration_id }}</code></small>
      </li></ol>
      <p v-else class="lp-quiet">It never judged this line.</p>
      <template v-if="found"><h3>Calibrations that its card suggests</h3>
        <ul class="lp-lived" v-if="Object.keys(found.calibrations).length"><li v-for="(each, line) in found.calibrations" :key="line"><b>{{ names[line] ?? line }}</b>: review {{ score(each.review) }}, NG {{ score(each.fail) }}<template v-if="each.groups">, from {{ each.groups }} groups of good parts</template></li></ul>
        <p v-else class="lp-quiet">None: it judges no line before <code>loupe calibrate</code>.</p>
        <details><summary>Card</summary><pre class="lp-json" tabindex="0">{{ card }}</pre></details></template>
    </aside>`,
};

const told = ([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "object" && value !== null ? JSON.stringify(value) : value}`;

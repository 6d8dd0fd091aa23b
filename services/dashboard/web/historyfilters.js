// What History is asked: a period, or days of the viewer's own; line, decision, score, part and the rest.

export const PERIODS = [
  { name: "hour", word: "Last hour", ms: 3_600_000 },
  { name: "day", word: "Last 24 hours", ms: 86_400_000 },
  { name: "week", word: "Last 7 days", ms: 7 * 86_400_000 },
  { name: "month", word: "Last 30 days", ms: 30 * 86_400_000 },
  { name: "all", word: "All that is kept" },
  { name: "days", word: "Days" },
];
const RESULTS = [
  ["", "Any"],
  ["decision=pass", "OK"],
  ["decision=review", "Review"],
  ["decision=fail", "NG"],
  ["outcome=recorded", "Recorded"],
  ["outcome=failed", "Unreadable"],
  ["outcome=late", "Late"],
];
const SAME = ["line", "camera", "product", "part_id", "model_version", "frame_id", "score_from", "score_to"];

/** Filters -> the query of the REST API. The moment that a period begins is of the minute, so that pages of one search fit together. */
export function toQuery(asked) {
  const period = PERIODS.find((one) => one.name === asked.period);
  const query = new URLSearchParams(SAME.filter((name) => asked[name]).map((name) => [name, asked[name].trim()]));
  const [kind, result] = (asked.result ?? "").split("=");
  if (result) query.set(kind, result);
  if (period?.ms) query.set("since", new Date(Math.floor((Date.now() - period.ms) / 60_000) * 60_000).toISOString());
  if (asked.period === "days" && asked.since) query.set("since", midnight(asked.since, 0));
  if (asked.period === "days" && asked.until) query.set("until", midnight(asked.until, 1));
  return query.toString();
}

/** Of the viewer's own day, or the one after. */
function midnight(date, days) {
  const [year, month, day] = date.split("-").map(Number);
  return new Date(year, month - 1, day + days).toISOString();
}

export const HistoryFilters = {
  props: { modelValue: Object, lines: Array },
  emits: ["update:modelValue"],
  data: () => ({ PERIODS, RESULTS, more: false }),
  computed: {
    rest: ({ modelValue }) => ["camera", "product", "model_version", "frame_id"].filter((name) => modelValue[name]).length,
  },
  methods: {
    set(name, value) {
      this.$emit("update:modelValue", { ...this.modelValue, [name]: value });
    },
  },
  template: `
    <form class="lp-card lp-adder lp-asked" aria-label="Filter" @submit.prevent>
      <label>When<select :value="modelValue.period" @change="set('period', $event.target.value)"><option v-for="one in PERIODS" :value="one.name">{{ one.word }}</option></select></label>
      <template v-if="modelValue.period === 'days'">
        <label>From<input type="date" :value="modelValue.since" :max="modelValue.until" @change="set('since', $event.target.value)" /></label>
        <label>To<input type="date" :value="modelValue.until" :min="modelValue.since" @change="set('until', $event.target.value)" /></label>
      </template>
      <label>Line<select :value="modelValue.line ?? ''" @change="set('line', $event.target.value)"><option value="">All</option><option v-for="line in lines" :value="line.id">{{ line.name }}</option></select></label>
      <label>Result<select :value="modelValue.result ?? ''" @change="set('result', $event.target.value)"><option v-for="[value, word] in RESULTS" :value="value">{{ word }}</option></select></label>
      <fieldset class="lp-between"><legend>Score</legend><input type="number" min="0" max="1" step="any" placeholder="0" aria-label="Score from" :value="modelValue.score_from" @change="set('score_from', $event.target.value)" /><span aria-hidden="true">–</span><input type="number" min="0" max="1" step="any" placeholder="1" aria-label="Score to" :value="modelValue.score_to" @change="set('score_to', $event.target.value)" /></fieldset>
      <label>Part<input type="search" :value="modelValue.part_id" @change="set('part_id', $event.target.value)" /></label>
      <button class="lp-plain" type="button" :aria-expanded="more" @click="more = !more">{{ more ? 'Fewer filters' : rest ? 'More filters (' + rest + ')' : 'More filters' }}</button>
      <template v-if="more">
        <label>Camera<input type="search" :value="modelValue.camera" @change="set('camera', $event.target.value)" /></label>
        <label>Product<input type="search" :value="modelValue.product" @change="set('product', $event.target.value)" /></label>
        <label>Model version<input type="search" placeholder="its first letters" :value="modelValue.model_version" @change="set('model_version', $event.target.value)" /></label>
        <label>Frame<input type="search" placeholder="line/camera/session/number" :value="modelValue.frame_id" @change="set('frame_id', $event.target.value)" /></label>
      </template>
    </form>`,
};

// The page of quality: how well each line was judged, as people's answers tell: parts flagged for nothing, defects that escaped, how far reviewers agree.
//
// A share is drawn with its 95 % interval, so that three answers do not look like three hundred.
import { Icon } from "loupe/icon.js";
import { base } from "loupe/base.js";
import { call } from "loupe/rest.js";
import { count, day, percent } from "loupe/words.js";

const DAY_MS = 86_400_000;
const PERIODS = [
  { name: "1", word: "Last 24 hours" },
  { name: "7", word: "Last 7 days" },
  { name: "30", word: "Last 30 days" },
];

const Interval = {
  props: { share: Object, top: Number, none: String },
  methods: { percent, count },
  computed: {
    place: ({ share, top }) => (share ? { left: `${(share.low / top) * 100}%`, width: `${Math.max(1, ((share.high - share.low) / top) * 100)}%` } : null),
    point: ({ share, top }) => (share ? { left: `${(share.value / top) * 100}%` } : null),
  },
  template: `
    <div class="lp-share" v-if="share"><b>{{ percent(share.value) }}</b><small>{{ percent(share.low) }} to {{ percent(share.high) }}<br />{{ count(share.answers) }} answers</small>
      <i class="lp-range" aria-hidden="true"><i :style="place"></i><u :style="point"></u></i></div>
    <span v-else class="lp-quiet">{{ none }}</span>`,
};

export default {
  components: { Icon, Interval },
  props: { zone: String, role: String },
  data: () => ({ PERIODS, asked: { days: "7", line: "" }, names: {}, rows: [], shifts: [], people: [], problem: "", read: false, turn: 0 }),
  computed: {
    query: ({ asked }) => {
      const since = new Date(Math.floor((Date.now() - Number(asked.days) * DAY_MS) / 60_000) * 60_000).toISOString();
      return new URLSearchParams({ since, ...(asked.line ? { line: asked.line } : {}) }).toString();
    },
    csv: ({ query }) => `${base}/api/v1/quality.csv?${query}`,
    answers: ({ rows }) => rows.reduce((sum, row) => sum + row.confirmed + row.corrected + row.good, 0),
    tops: ({ rows }) => Object.fromEntries(["wrong_flags", "false_rejects", "escapes"].map((name) => [name, Math.max(0.01, ...rows.map((row) => row[name]?.high ?? 0))])),
  },
  watch: { asked: { deep: true, handler: "load" } },
  async mounted() {
    const lines = await call("GET", "lines").catch(() => []);
    this.names = Object.fromEntries(lines.map((line) => [line.id, line.name]));
    await this.load();
  },
  methods: {
    count,
    percent,
    nameOf(line) {
      return this.names[line] ?? line;
    },
    began(at) {
      return day(at, this.zone);
    },
    classes: (row) => Object.entries(row.classes).map(([name, times]) => `${name} ${times}`).join(", "),
    kappa: (row) => (row.kappa === null ? "" : `κ ${row.kappa.toFixed(2)}`),
    async load() {
      const turn = (this.turn += 1);
      const people = this.role === "admin" ? call("GET", `quality/people?${this.query}`) : Promise.resolve([]);
      try {
        const [rows, shifts, persons] = await Promise.all([call("GET", `quality?${this.query}`), call("GET", `quality?${this.query}&by=shift`), people]);
        if (turn === this.turn) Object.assign(this, { rows, shifts, people: persons, problem: "", read: true });
      } catch (error) {
        if (turn === this.turn) this.problem = error.message;
      }
    },
  },
  template: `
    <div class="lp-page lp-quality" :data-read="read ? rows.length : null">
      <div class="lp-bar">
        <div class="lp-title"><h1>Quality</h1><p class="lp-quiet">What people's answers say of the machine's decisions</p></div>
        <a class="lp-button lp-export" :href="csv" download><Icon name="down" />CSV</a>
      </div>
      <form class="lp-card lp-adder lp-asked" aria-label="Filter" @submit.prevent>
        <label>When<select v-model="asked.days"><option v-for="one in PERIODS" :value="one.name">{{ one.word }}</option></select></label>
        <label>Line<select v-model="asked.line"><option value="">All</option><option v-for="(name, id) in names" :value="id">{{ name }}</option></select></label>
      </form>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <p v-if="read && !answers" class="lp-card lp-hint">Nobody has answered a part of this time yet. Answers come from the <a href="review">Review</a> page; what escaped is known from its blind checks.</p>

      <section class="lp-card lp-listed" aria-label="Lines">
        <header><h2>Lines</h2></header>
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">Line</th><th scope="col" class="lp-right">Inspected</th><th scope="col" class="lp-right">Flagged</th><th scope="col">Answers</th>
            <th scope="col" title="Of answered flagged parts, the good ones">Flagged for nothing</th><th scope="col" title="Of all good parts, the flagged ones">False rejects</th><th scope="col" title="Of passed parts, defects: from blind checks">Escapes</th><th scope="col" title="Parts that two people answered, the second without knowing the first answer">Reviewers agree</th></tr></thead>
          <tbody><tr v-for="row in rows" :key="row.line" :data-line="row.line">
            <th scope="row">{{ nameOf(row.line) }}</th>
            <td class="lp-right">{{ count(row.passed + row.flagged) }}</td><td class="lp-right">{{ count(row.flagged) }}</td>
            <td><div>{{ count(row.confirmed + row.corrected) }} defects<template v-if="row.corrected">, {{ row.corrected }} redrawn</template>, {{ count(row.good) }} good</div><small class="lp-quiet">{{ classes(row) }}</small></td>
            <td data-share="wrong_flags"><Interval :share="row.wrong_flags" :top="tops.wrong_flags" none="no answers" /></td>
            <td data-share="false_rejects"><Interval :share="row.false_rejects" :top="tops.false_rejects" none="no answers" /></td>
            <td data-share="escapes"><Interval :share="row.escapes" :top="tops.escapes" none="no blind checks" /></td>
            <td><template v-if="row.pairs"><b>{{ percent(row.agreement) }}</b> <small class="lp-quiet">of {{ row.pairs }} {{ kappa(row) }}</small></template><span v-else class="lp-quiet">no pairs</span></td>
          </tr></tbody>
        </table></div>
      </section>

      <section class="lp-card lp-listed" aria-label="Shifts">
        <header><h2>Shifts</h2></header>
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">Shift from</th><th scope="col">Line</th><th scope="col" class="lp-right">Inspected</th><th scope="col" class="lp-right">Flagged</th><th scope="col" class="lp-right">Defects</th><th scope="col" class="lp-right">Good</th><th scope="col" class="lp-right">Flagged for nothing</th><th scope="col" class="lp-right">Escapes</th></tr></thead>
          <tbody><tr v-for="row in shifts" :key="row.shift + row.line" :data-shift="row.shift">
            <th scope="row">{{ began(row.shift) }}</th><td>{{ nameOf(row.line) }}</td><td class="lp-right">{{ count(row.passed + row.flagged) }}</td><td class="lp-right">{{ count(row.flagged) }}</td>
            <td class="lp-right">{{ count(row.confirmed + row.corrected) }}</td><td class="lp-right">{{ count(row.good) }}</td>
            <td class="lp-right">{{ row.wrong_flags ? percent(row.wrong_flags.value) : '–' }}</td><td class="lp-right">{{ row.escapes ? percent(row.escapes.value) : '–' }}</td>
          </tr></tbody>
        </table></div>
        <p v-if="read && !shifts.length" class="lp-hint">No inspections in this time.</p>
      </section>

      <section v-if="role === 'admin'" class="lp-card lp-listed" aria-label="People">
        <header><h2>People</h2><p class="lp-quiet">Seen by admins only</p></header>
        <div class="lp-scroll"><table class="lp-table">
          <thead><tr><th scope="col">Who</th><th scope="col" class="lp-right">Answers</th><th scope="col" class="lp-right">Defects</th><th scope="col" class="lp-right">Masks redrawn</th><th scope="col" class="lp-right">Shared parts</th><th scope="col" class="lp-right">Agreed</th></tr></thead>
          <tbody><tr v-for="one in people" :key="one.name" :data-person="one.name">
            <th scope="row">{{ one.name }}</th><td class="lp-right">{{ count(one.answers) }}</td><td class="lp-right">{{ count(one.defects) }}</td><td class="lp-right">{{ count(one.corrected) }}</td><td class="lp-right">{{ count(one.pairs) }}</td><td class="lp-right">{{ one.pairs ? percent(one.agreed / one.pairs) : '–' }}</td>
          </tr></tbody>
        </table></div>
        <p v-if="read && !people.length" class="lp-hint">Nobody has answered yet.</p>
      </section>
    </div>`,
};

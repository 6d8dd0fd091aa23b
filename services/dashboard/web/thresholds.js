// The page of a line's thresholds: where its scores lie, two handles, what they would mean, what they can promise, and all that judged before.
import { Ask } from "loupe/ask.js";
import { Histogram } from "loupe/histogram.js";
import { Icon } from "loupe/icon.js";
import { base, live, signal, start } from "loupe/live.js";
import { atOrAbove, falseRejects, precise } from "loupe/odds.js";
import { call } from "loupe/rest.js";
import { count, day, percent as share, short } from "loupe/words.js";

const EVERY_MS = 5000;
const percent = (value) => share(value).replace(" ", "\u00a0"); // a number and its sign stay on one line

export default {
  components: { Ask, Histogram, Icon },
  props: { lineId: String, wanted: String, role: String },
  setup: () => ({ live, signal }),
  data: () => ({ found: null, scores: null, moved: {}, reason: "", problem: "", conflict: "", done: "", product: null, asked: { review: 1, fail: 0.1 }, suggested: null, busy: false, drawn: "" }),
  computed: {
    line: ({ live, lineId }) => live.wall?.lines.find((line) => line.id === lineId) ?? null,
    back: ({ lineId }) => `${base}/line/${lineId}`,
    zone: ({ live }) => live.wall?.time_zone,
    may: ({ role }) => role !== "operator",
    current: ({ found }) => found?.current ?? null,
    inForce: ({ current }) => current?.calibration ?? null,
    thresholds: ({ inForce, moved }) => ({ review: moved.review ?? inForce.review, fail: moved.fail ?? inForce.fail }),
    changed: ({ thresholds, inForce }) => inForce !== null && (thresholds.review !== inForce.review || thresholds.fail !== inForce.fail),
    recent: ({ scores }) => Object.values(scores?.recent ?? {}).flat().sort((one, other) => one - other),
    previews: ({ recent, scores, thresholds, inForce }) =>
      [["review", "At or above review", "a person looks, or the part is rejected"], ["fail", "At or above NG", "the part is rejected"]].map(([name, title, text]) => ({
        name, title, text,
        flagged: atOrAbove(recent, thresholds[name]),
        before: atOrAbove(recent, inForce[name]),
        rejects: falseRejects(scores.good, thresholds[name]),
        caught: scores.defects.filter((score) => score >= thresholds[name]).length,
      })),
    promises: ({ current }) => (current ? [["Review", current.review, current.calibration.review], ["NG", current.fail, current.calibration.fail]] : []),
    products: ({ found }) => (found?.products ?? []).map((product) => ({ product, word: product ?? "Whatever the line makes" })),
  },
  watch: {
    wanted: { immediate: true, handler(wanted) { this.product = wanted ?? null; } },
  },
  async mounted() {
    start();
    await this.read();
    this.timer = setInterval(() => document.hidden || this.refresh(), EVERY_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
  },
  methods: {
    count,
    day,
    percent,
    precise,
    short,
    path(rest, more = {}) {
      const query = new URLSearchParams({ ...(this.product === null ? {} : { product: this.product }), ...more });
      return `lines/${this.lineId}/${rest}?${query}`;
    },
    async read() {
      await this.attempt(async () => {
        this.found = await call("GET", this.path("calibration"));
        this.scores = this.found.current ? await call("GET", this.path("scores")) : null;
      });
    },
    /** What others did is shown at once; handles that somebody has moved stay where they are. */
    async refresh() {
      try {
        const found = await call("GET", this.path("calibration"));
        if (found.current?.id !== this.current?.id && this.changed && !this.busy) this.conflict = `${found.current?.activated_by ?? "Somebody"} changed the thresholds meanwhile. Take theirs before you move them.`;
        else if (!this.busy) this.found = found;
        if (this.current) this.scores = await call("GET", this.path("scores"));
      } catch {
        /* the masthead says that nothing is current */
      }
    },
    async attempt(act) {
      this.problem = "";
      try {
        return await act();
      } catch (error) {
        if (error.message.includes("changed meanwhile")) this.conflict = error.message;
        else this.problem = error.message;
      }
    },
    move(name, score) {
      this.done = "";
      this.moved = { ...this.moved, [name]: score };
    },
    reset() {
      this.moved = {};
      this.conflict = "";
      this.suggested = null;
    },
    async takeTheirs() {
      this.reset();
      await this.read();
    },
    async send(act, said) {
      this.busy = true;
      await this.attempt(async () => {
        await act();
        this.done = said;
        this.reason = "";
        this.reset();
        await this.read();
      });
      this.busy = false;
    },
    body(more) {
      return { product: this.product, seen: this.current.id, reason: this.reason, ...more };
    },
    apply() {
      return this.send(() => call("PUT", `lines/${this.lineId}/calibration`, this.body(this.thresholds)), "In force now, in all running replicas.");
    },
    async goBack(one) {
      const { review, fail, calibration_id } = one.calibration;
      if (!(await this.$refs.ask.that("Go back to these thresholds?", `Review from ${precise(review)}, NG from ${precise(fail)}, as ${one.activated_by || "loupe.toml"} set them. They hold at once.`, "Go back"))) return;
      const reason = this.reason.length < 3 ? `back to those of ${day(one.activated_at, this.zone)}` : this.reason;
      return this.send(() => call("POST", `lines/${this.lineId}/calibration/back`, this.body({ calibration_id, reason })), "In force again.");
    },
    async suggest() {
      this.suggested = null;
      const rates = { review_rate: this.asked.review / 100, fail_rate: this.asked.fail / 100 };
      const found = await this.attempt(() => call("GET", this.path("calibration/suggestion", rates)));
      if (!found) return;
      this.suggested = found;
      this.moved = { review: found.review.value, fail: found.fail.value };
    },
    async choose(event) {
      this.product = event.target.value;
      this.reset();
      await this.read();
    },
    change(fields) {
      return this.send(() => call("PATCH", `lines/${this.lineId}`, fields), "In force now.");
    },
    setRate() {
      const rate = this.drawn === "" ? null : Number(this.drawn) / 100;
      return this.change({ blind_check_rate: rate });
    },
    usable(one) {
      return this.may && one.model_version === this.current?.model_version && one.calibration.calibration_id !== this.current.calibration.calibration_id;
    },
    promise(one) {
      if (one.promised === null) return "Nothing is known of what they promise.";
      const most = `At most ${percent(one.promised)} of good parts`;
      if (one.asked === null) return `${most}, with 95 % confidence.`;
      return one.kept ? `${most}; ${percent(one.asked)} was asked for.` : `${most}: not the ${percent(one.asked)} that was asked for, which takes ${count(one.groups_needed)} groups of good parts.`;
    },
    between: (one) => (one ? `${percent(one.rate)} of good parts (95 %: ${percent(one.from)} to ${percent(one.to)})` : "no part was called good yet"),
  },
  template: `
    <div class="lp-page lp-thresholds" :data-line="lineId" :data-seen="current?.id ?? ''">
      <div class="lp-bar">
        <div class="lp-title"><a class="lp-button lp-text" :href="back"><Icon name="back" />{{ line?.name ?? lineId }}</a><h1>Thresholds</h1></div>
        <label v-if="products.length > 1" class="lp-pick">Product <select :value="found.product ?? ''" @change="choose"><option v-for="one in products" :key="one.word" :value="one.product ?? ''">{{ one.word }}</option></select></label>
      </div>
      <p v-if="conflict" class="lp-card lp-alert" role="alert" data-conflict><Icon name="person" /><span>{{ conflict }}</span><span class="lp-space"></span><button class="lp-plain" type="button" @click="takeTheirs">Show theirs</button></p>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <p v-if="found && !current" class="lp-card lp-hint">No model judges {{ found.product ? 'product ' + found.product : 'this line' }}: its frames are recorded, not judged.</p>
      <template v-if="current && scores">
        <section class="lp-card lp-board" aria-labelledby="lp-scores">
          <header><h2 id="lp-scores">Scores of the last {{ count(recent.length) }} parts</h2>
            <ul class="lp-legend"><li class="lp-ok"><Icon name="check" />OK, good</li><li class="lp-warn"><Icon name="eye" />Review</li><li class="lp-bad"><Icon name="cross" />NG, defect</li></ul></header>
          <Histogram :scores="scores" :thresholds="thresholds" :in-force="inForce" :frozen="!may || busy" @move="move" />
          <p class="lp-quiet lp-under">Log-odds axis; heights by the root of the count. {{ scores.left_out ? count(scores.left_out) + ' blind checks that you have yet to answer are left out.' : '' }}</p>
        </section>
        <div class="lp-means">
          <section v-for="one in previews" :key="one.name" class="lp-card lp-box" :data-preview="one.name"><h2>{{ one.title }} <span class="lp-quiet">{{ one.text }}</span></h2>
            <p class="lp-big"><strong>{{ count(one.flagged) }}</strong> of {{ count(recent.length) }} shown parts<span v-if="one.flagged !== one.before" class="lp-quiet"> (now {{ count(one.before) }})</span></p>
            <dl class="lp-facts"><dt>False rejects</dt><dd>{{ between(one.rejects) }}</dd><dt>Known defects caught</dt><dd>{{ count(one.caught) }} of {{ count(scores.defects.length) }}</dd></dl></section>
          <section class="lp-card lp-box"><h2>What the ones in force promise <span class="lp-quiet">{{ current.by_hand ? 'set by hand' : 'calibrated' }}<template v-if="current.groups"> · {{ count(current.groups) }} groups of good parts</template></span></h2>
            <ul class="lp-promises"><li v-for="[word, one, at] in promises" :key="word"><span class="lp-chip" :class="one.kept ? 'lp-ok' : 'lp-warn'"><Icon :name="one.kept ? 'check' : 'dash'" />{{ word }} {{ precise(at) }}</span><span>{{ promise(one) }}</span></li></ul></section>
        </div>
        <form v-if="may" class="lp-card lp-adder lp-apply" @submit.prevent="apply">
          <label class="lp-wide">Reason, for the history<input v-model.trim="reason" required minlength="3" maxlength="500" placeholder="too many false rejects on the night shift" autocomplete="off" /></label>
          <button class="lp-primary" type="submit" :disabled="!changed || busy || conflict !== ''"><Icon name="check" />Apply</button>
          <button class="lp-plain" type="button" :disabled="!changed" @click="reset">Reset</button>
          <span v-if="done" class="lp-chip lp-ok" role="status"><Icon name="check" />{{ done }}</span>
        </form>
        <div v-if="may" class="lp-means">
        <form class="lp-card lp-adder" @submit.prevent="suggest">
          <label>False rejects to review, %<input v-model.number="asked.review" type="number" min="0.01" max="50" step="any" required /></label>
          <label>to NG, %<input v-model.number="asked.fail" type="number" min="0.01" :max="asked.review" step="any" required /></label>
          <button class="lp-plain lp-framed" type="submit">Suggest from answered parts</button>
          <p v-if="suggested" class="lp-suggested" role="status">From {{ count(suggested.groups) }} groups of good parts. Review: {{ promise(suggested.review) }} NG: {{ promise(suggested.fail) }}</p>
        </form>
        <form class="lp-card lp-adder" @submit.prevent="setRate">
          <label>Passed parts drawn for blind checks, %<input v-model="drawn" type="number" min="0" max="100" step="any" :placeholder="line?.blind_check_rate == null ? 'as the settings say' : 100 * line.blind_check_rate" /></label>
          <button class="lp-plain lp-framed" type="submit">{{ drawn === '' ? 'As the settings say' : 'Set share' }}</button>
        </form>
        </div>
        <section class="lp-card lp-listed" aria-label="History"><div class="lp-scroll"><table class="lp-table lp-history">
          <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">Review</th><th scope="col">NG</th><th scope="col">Why</th><th scope="col">Model</th><th scope="col"><span class="lp-hidden">Actions</span></th></tr></thead>
          <tbody><tr v-for="(one, index) in found.history" :key="one.id" :data-judgement="one.id">
            <td class="lp-when">{{ day(one.activated_at, zone) }}</td><td>{{ one.activated_by || "–" }}</td><td>{{ precise(one.calibration.review) }}</td><td>{{ precise(one.calibration.fail) }}</td><td class="lp-why">{{ one.reason ?? "–" }}</td><td><code>{{ short(one.model_version) }}</code></td>
            <td class="lp-acts"><span v-if="index === 0" class="lp-chip lp-ok"><Icon name="check" />In force</span><button v-else-if="usable(one)" class="lp-plain" type="button" :disabled="busy" @click="goBack(one)">Go back</button></td>
          </tr></tbody></table></div></section>
      </template>
      <Ask ref="ask" />
    </div>`,
};

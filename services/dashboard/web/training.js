// The page of training: what would start each line's next retraining, what runs just now, what came of it, and putting that to work.
//
// What is open is asked for every two seconds while somebody looks. The opened job is in the address.
import { Ask } from "loupe/ask.js";
import { BacktestReport } from "loupe/backtestreport.js";
import { base } from "loupe/base.js";
import { ANSWERS, GateReport } from "loupe/gatereport.js";
import { Icon } from "loupe/icon.js";
import { LossCurve } from "loupe/losscurve.js";
import { call } from "loupe/rest.js";
import { ago, count, day, score, short } from "loupe/words.js";

const EVERY_MS = 2000;
const MINUTES = 15;
const KINDS = { retrain: "Retraining", first: "First training", backtest: "Backtest" };
const STATES = {
  queued: { word: "Waits", icon: "clock", tone: "calm" },
  running: { word: "Runs", icon: "signal", tone: "ok" },
  finished: { word: "Finished", icon: "check", tone: "ok" },
  failed: { word: "Failed", icon: "cross", tone: "bad" },
  cancelled: { word: "Cancelled", icon: "pause", tone: "calm" },
};
const STAGES = { codec: "Codec", objects: "Good parts", detection: "Detection", upsampling: "Fine maps" };
const TRIGGERS = { click: "a click", verdicts: "new verdicts", schedule: "the schedule" };

export default {
  components: { Ask, BacktestReport, GateReport, Icon, LossCurve },
  props: { zone: String, role: String },
  data: () => ({ lines: [], jobs: [], opened: null, asked: new URLSearchParams(location.search).get("job"), points: [], log: [], elsewhere: "", problem: "", told: "", reason: "", busy: false, read: false, now: Date.now() }),
  computed: {
    may: ({ role }) => role !== "operator",
    names: ({ lines }) => Object.fromEntries(lines.map((line) => [line.line, line.name])),
    gate: ({ opened }) => opened?.result.gate ?? null,
    backtested: ({ opened }) => opened?.kind === "backtest" && opened.state === "finished",
    needsReason: ({ gate }) => gate?.answer === "insufficient evidence",
    judges: ({ opened, lines }) => lines.find((line) => line.line === opened?.line)?.model_version ?? null,
    /** Why the candidate cannot be put to work; empty where it can. */
    barred: ({ gate, opened, judges }) =>
      gate.answer === "refused" ? "The gate refused it." : judges === opened.result.candidate ? "It judges the line now." : judges !== opened.result.champion ? "Another model judges by now than it was compared with: retrain." : "",
    plan: ({ opened }) => Object.entries(opened?.plan ?? {}).filter(([, value]) => typeof value !== "object" && value !== null).map(worded),
    outcome: ({ opened }) => Object.entries(opened?.result ?? {}).filter(([name, value]) => !(name in opened.plan) && (typeof value !== "object" || value === null)).map(worded),
    calibration: ({ opened }) => opened?.result.calibration ?? null,
  },
  watch: { asked: "turn" },
  mounted() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.load(), EVERY_MS);
    addEventListener("popstate", (this.back = () => (this.asked = new URLSearchParams(location.search).get("job"))));
  },
  beforeUnmount() {
    clearInterval(this.timer);
    removeEventListener("popstate", this.back);
  },
  methods: {
    ago,
    count,
    day,
    score,
    kindOf: (job) => KINDS[job.kind] ?? job.kind,
    stateOf: (job) => STATES[job.state],
    answerOf: (job) => ANSWERS[job.result.gate?.answer],
    href: (job) => `${base}/training?job=${encodeURIComponent(job.id)}`,
    took: (job) => (job.started_at ? span((new Date(job.ended_at ?? Date.now()) - new Date(job.started_at)) / 1000) : "–"),
    trigger: (job) => TRIGGERS[job.trigger],
    stage: (job) => STAGES[job.progress.stage] ?? job.progress.stage,
    share: (job) => (job.progress.steps ? job.progress.step / job.progress.steps : 0),
    doing(job) {
      if (job.cancel_asked_by && job.state === "running") return "is being cancelled";
      if (job.state === "queued") return "waits for the trainer";
      if (job.state !== "running") return "";
      if (!job.progress.stage) return "is prepared, or waits until resources are free that inspection does not need";
      const { step, steps, steps_per_s: speed } = job.progress;
      return `${this.stage(job)}, step ${count(step)} of ${count(steps)}${speed ? ` · ${speed.toFixed(1)} steps/s · ${span((steps - step) / speed)} left of this stage` : ""}`;
    },
    starts(line) {
      const by = [line.after_verdicts ? `${count(line.after_verdicts)} new verdicts` : "", line.every_hours ? `every ${line.every_hours} h` : "", "a click"].filter(Boolean);
      return `Started by ${by.join(", ")}`;
    },
    async load() {
      this.now = Date.now();
      try {
        const [lines, jobs] = await Promise.all([call("GET", "training"), call("GET", "jobs")]);
        Object.assign(this, { lines, jobs, read: true, problem: this.read ? this.problem : "" });
        if (this.asked) await this.look(this.asked);
      } catch (error) {
        this.problem = error.message;
      }
    },
    async turn() {
      Object.assign(this, { opened: null, points: [], log: [], elsewhere: "", problem: "", told: "", reason: "" });
      if (this.asked) await this.load();
    },
    open(job) {
      history.pushState(null, "", job ? this.href(job) : `${base}/training`);
      this.asked = job?.id ?? null;
    },
    async look(id) {
      const known = this.opened && !["queued", "running"].includes(this.opened.state);
      const job = this.jobs.find((one) => one.id === id) ?? (await call("GET", `jobs/${id}`));
      if (id !== this.asked || (known && this.opened.state === job.state)) return;
      this.opened = job;
      try {
        const [{ points }, { lines }] = await Promise.all([call("GET", `jobs/${id}/losses`), call("GET", `jobs/${id}/log`)]);
        if (id === this.asked) Object.assign(this, { points, log: lines, elsewhere: "" });
      } catch (error) {
        this.elsewhere = error.message;
      }
    },
    async act(does, said) {
      Object.assign(this, { busy: true, problem: "", told: "" });
      try {
        const made = await does();
        await this.load();
        this.told = said(made);
      } catch (error) {
        this.problem = error.message;
      }
      this.busy = false;
    },
    async ask(line) {
      await this.act(
        () => call("POST", `lines/${line.line}/retrain`),
        (job) => (job.joined ? `${line.name}: one is open already, this joined it` : `${line.name}: a retraining ${job.before ? `waits behind ${job.before} other${job.before > 1 ? "s" : ""}` : "begins"}`),
      );
    },
    async cancel(job) {
      if (!(await this.$refs.ask.that(`Cancel this ${this.kindOf(job).toLowerCase()}?`, "What it has learnt so far is removed.", "Cancel it", true))) return;
      await this.act(() => call("POST", `jobs/${job.id}/cancel`), () => "Cancelled");
    },
    async backtest() {
      await this.act(
        () => call("POST", `jobs/${this.opened.id}/backtest`, { minutes: MINUTES }),
        (job) => (job.joined ? "A backtest of this line is open already: it is in the list" : "A backtest begins: it is in the list, with what it finds"),
      );
    },
    async promote() {
      const { opened } = this;
      const text = `${this.names[opened.line]}: model ${short(opened.result.candidate)} takes the place of ${short(opened.result.champion)}, with its own thresholds. Every replica loads and tests it first; no frame waits or is lost.`;
      if (!(await this.$refs.ask.that("Let the candidate judge the line?", text, "Promote"))) return;
      await this.act(
        () => call("POST", `jobs/${opened.id}/promote`, this.reason ? { reason: this.reason } : {}),
        (made) => `Model ${short(made.model_version)} judges ${this.names[opened.line]} now`,
      );
    },
  },
  template: `
    <div class="lp-page lp-training" :data-read="read" :data-job="opened?.id ?? ''" :data-state="opened?.state ?? ''">
      <div class="lp-bar"><div class="lp-title"><button v-if="asked" class="lp-button lp-text" type="button" @click="open(null)"><Icon name="back" />All</button><h1>Training</h1></div></div>
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <p v-if="told" class="lp-card lp-once" role="status" data-told>{{ told }}</p>

      <template v-if="opened">
        <section class="lp-card lp-box" :aria-label="kindOf(opened)">
          <header class="lp-headed"><h2>{{ kindOf(opened) }} of {{ names[opened.line] ?? opened.line }}</h2><span class="lp-chip lp-large" :class="'lp-' + stateOf(opened).tone"><Icon :name="stateOf(opened).icon" />{{ stateOf(opened).word }}</span></header>
          <p class="lp-quiet">Asked for by {{ opened.asked_by }} ({{ trigger(opened) }}), {{ day(opened.asked_at, zone) }}<template v-if="opened.started_at">; {{ opened.ended_at ? 'took' : 'for' }} {{ took(opened) }}</template><template v-if="opened.attempts > 1">; taken up {{ opened.attempts }} times</template></p>
          <template v-if="doing(opened)"><p>{{ doing(opened) }}</p><progress :value="share(opened)" max="1" :aria-label="doing(opened)"></progress></template>
          <p v-if="opened.error" class="lp-problem" role="alert">{{ opened.error }}</p>
          <dl class="lp-facts lp-plan"><template v-for="[name, value] in [...plan, ...outcome]" :key="name"><dt>{{ name }}</dt><dd>{{ value }}</dd></template>
            <template v-if="calibration"><dt>its thresholds</dt><dd>review {{ score(calibration.review) }}, NG {{ score(calibration.fail) }}, from {{ calibration.groups }} groups of good parts</dd></template></dl>
          <footer v-if="may && ['queued', 'running'].includes(opened.state)"><button class="lp-plain lp-framed" type="button" :disabled="busy || opened.cancel_asked_by !== null" @click="cancel(opened)">Cancel</button></footer>
        </section>
        <BacktestReport v-if="backtested" :job="opened" />
        <GateReport v-if="gate" :job="opened" />
        <form v-if="gate && may" class="lp-card lp-adder" aria-label="Promotion" @submit.prevent="promote">
          <p v-if="barred" class="lp-quiet" data-barred>{{ barred }}</p>
          <template v-else><label class="lp-wide">Why{{ needsReason ? ', since the gate cannot tell' : ' (may be left out)' }}<input v-model.trim="reason" :required="needsReason" minlength="3" maxlength="500" autocomplete="off" /></label>
            <button class="lp-primary" type="submit" :disabled="busy"><Icon name="check" />{{ busy ? 'Replicas load it' : 'Promote' }}</button>
            <button class="lp-plain lp-framed" type="button" :disabled="busy" title="How would it have decided the frames of the last minutes?" @click="backtest">Try on the last ${MINUTES} min</button></template>
        </form>
        <p v-if="elsewhere" class="lp-card lp-hint">{{ elsewhere }}</p>
        <template v-else><LossCurve :points="points" />
          <details class="lp-card lp-box" :open="opened.state === 'failed'"><summary>Log</summary><pre class="lp-log" tabindex="0">{{ log.join('\\n') || 'Nothing yet' }}</pre></details></template>
      </template>

      <template v-else>
        <section class="lp-means" aria-label="Lines">
          <article v-for="line in lines" :key="line.line" class="lp-card lp-box" :data-line="line.line">
            <header class="lp-headed"><h2>{{ line.name }}</h2><a v-if="line.job" :href="href(line.job)" @click.exact.prevent="open(line.job)">{{ kindOf(line.job) }}</a></header>
            <p class="lp-big"><strong>{{ count(line.new_verdicts) }}</strong> new verdicts<span v-if="line.after_verdicts" class="lp-quiet"> of {{ count(line.after_verdicts) }}</span></p>
            <p v-if="line.job">{{ doing(line.job) }}</p><progress v-if="line.job" :value="share(line.job)" max="1" :aria-label="doing(line.job)"></progress>
            <p v-else class="lp-quiet">{{ line.model_version ? starts(line) + (line.promote_automatically ? '; promoted by itself where the gate passes it' : '') : 'No model judges this line yet: it needs a first training.' }}</p>
            <footer v-if="may && line.model_version"><button class="lp-primary" type="button" :disabled="busy" :aria-label="'Retrain ' + line.name" @click="ask(line)">Retrain</button></footer>
          </article>
        </section>
        <p v-if="read && !lines.length" class="lp-card lp-hint">No lines yet. Add one with <code>loupe line add</code>.</p>
        <section class="lp-card lp-listed" aria-label="Jobs">
          <div class="lp-scroll"><table class="lp-table">
            <thead><tr><th scope="col">Asked for</th><th scope="col">Line</th><th scope="col">What</th><th scope="col">By</th><th scope="col">Took</th><th scope="col">State</th><th scope="col">Gate</th></tr></thead>
            <tbody><tr v-for="job in jobs" :key="job.id" :data-row="job.id">
              <th scope="row"><a :href="href(job)" @click.exact.prevent="open(job)">{{ day(job.asked_at, zone) }}</a></th><td>{{ names[job.line] ?? job.line }}</td><td>{{ kindOf(job) }}</td><td>{{ job.asked_by }} <small class="lp-quiet">({{ trigger(job) }})</small></td><td>{{ took(job) }}</td>
              <td><span class="lp-chip" :class="'lp-' + stateOf(job).tone"><Icon :name="stateOf(job).icon" />{{ stateOf(job).word }}</span></td>
              <td><span v-if="answerOf(job)" class="lp-chip" :class="'lp-' + answerOf(job).tone"><Icon :name="answerOf(job).icon" />{{ answerOf(job).word }}</span><template v-else>–</template></td>
            </tr></tbody>
          </table></div>
          <p v-if="read && !jobs.length" class="lp-hint">Nothing was trained here yet. Verdicts come from the Review page; a retraining learns from them.</p>
        </section>
      </template>
      <Ask ref="ask" />
    </div>`,
};

/** An entry of a plan or an outcome, for people: ids short, numbers as exact as anybody reads them. */
function worded([name, value]) {
  const whole = typeof value === "number" ? Number(value.toPrecision(4)) : String(value).length === 64 ? short(value) : value;
  return [name.replaceAll("_", " "), whole ?? "–"];
}

const span = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

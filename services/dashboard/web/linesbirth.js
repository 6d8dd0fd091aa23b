// How a line gets its first model: good frames are kept, a training is started, its thresholds say what they promise, and somebody puts it to work.
import { base } from "loupe/base.js";
import { Icon } from "loupe/icon.js";
import { LinesGrid } from "loupe/linesgrid.js";
import { precise } from "loupe/odds.js";
import { call } from "loupe/rest.js";
import { count, percent as share, short } from "loupe/words.js";

const AT_ONCE = 60;
const EVERY_MS = 2000;
const OPEN = ["queued", "running"];
const STAGES = { objects: "Good parts", detection: "Detection", upsampling: "Fine maps" };
const percent = (value) => share(value).replace(" ", "\u00a0"); // a number and its sign stay on one line
const groupsNeeded = (rate) => Math.ceil(Math.log(0.05) / Math.log1p(-rate)); // 95 %, with none above

export const LinesBirth = {
  components: { Icon, LinesGrid },
  props: { line: Object, zone: String, role: String },
  emits: ["started"],
  data: () => ({ rows: [], after: null, tally: null, job: null, problem: "", reason: "", busy: false, read: false, asking: 0, loading: false }),
  computed: {
    may: ({ role }) => role !== "operator",
    working: ({ job }) => job !== null && OPEN.includes(job.state),
    done: ({ job }) => (job?.state === "finished" ? job.result : null),
    calibration: ({ done }) => done?.calibration ?? null,
    doubted: ({ done }) => done?.doubted ?? [],
    unsaid: ({ rows }) => rows.filter((row) => row.kept === null),
    progress: ({ job }) => (job.progress.stage ? `${STAGES[job.progress.stage] ?? job.progress.stage}, step ${count(job.progress.step)} of ${count(job.progress.steps)}` : job.state === "queued" ? "It waits for its turn" : "It waits for pictures or a free worker"),
    promises: ({ calibration }) => (calibration?.promised ? [["Review", "review"], ["NG", "fail"]].map(([word, name]) => ({ word, at: calibration[name], promised: calibration.promised[name], asked: calibration.rates[name], kept: calibration.kept[name] })) : []),
    training: ({ job }) => `${base}/training?job=${encodeURIComponent(job.id)}`,
  },
  mounted() {
    this.sent = Promise.resolve();
    this.load();
    this.timer = setInterval(() => document.hidden || this.look(), EVERY_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
  },
  methods: {
    count,
    precise,
    short,
    async attempt(act) {
      this.problem = "";
      try {
        return await act();
      } catch (error) {
        this.problem = error.message;
      }
    },
    async load(after = null) {
      const turn = (this.asking += 1);
      this.loading = true;
      await this.attempt(async () => {
        const page = await call("GET", `lines/${this.line.id}/recorded?limit=${AT_ONCE}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
        if (turn !== this.asking) return; // asked again, or something was chosen meanwhile
        const { rows, after: next, ...tally } = page;
        Object.assign(this, { rows: after ? [...this.rows, ...rows] : rows, after: next, tally });
        await this.readJob();
        this.read = true;
      });
      this.loading = false;
    },
    async readJob() {
      this.job = (await call("GET", `jobs?line=${this.line.id}`)).find((job) => job.kind === "first") ?? null;
    },
    /** A training that runs; and the first frames of a camera that has only begun. */
    async look() {
      if (!this.rows.length) return this.loading || this.load();
      if (this.working) await this.readJob().catch(() => {}); // the masthead says that nothing is current
    },
    /** One after the other: of two choices on their way at once the earlier one might count. */
    async choose(rows, kept) {
      const before = rows.map((row) => row.kept);
      this.asking += 1;
      for (const row of rows) row.kept = kept;
      const send = () => this.attempt(() => call("PUT", `lines/${this.line.id}/recorded`, { [kept ? "keep" : "drop"]: rows.map((row) => row.frame_id) }));
      const told = await (this.sent = this.sent.then(send));
      if (told) this.tally = told;
      else rows.forEach((row, index) => (row.kept = before[index]));
    },
    turn(row) {
      return this.choose([row], row.kept === false);
    },
    async train() {
      this.busy = true;
      await this.attempt(async () => (this.job = await call("POST", `lines/${this.line.id}/first-training`)));
      this.busy = false;
    },
    async putToWork() {
      this.busy = true;
      await this.attempt(async () => {
        await call("POST", `jobs/${this.job.id}/start`, { reason: this.reason });
        this.$emit("started");
      });
      this.busy = false;
    },
    promise(one) {
      const most = `At most ${percent(one.promised)} of good parts, with 95 % confidence`;
      return one.kept ? `${most}.` : `${most}: not the ${percent(one.asked)} that was asked for, which takes ${count(groupsNeeded(one.asked))} groups of good parts.`;
    },
  },
  template: `
    <div class="lp-birth" :data-birth="line.id" :data-read="read ? rows.length : null" :data-job="job?.state ?? ''">
      <p v-if="problem" class="lp-card lp-alert" role="alert"><Icon name="broken" />{{ problem }}</p>
      <section class="lp-card lp-box" aria-labelledby="lp-collect">
        <header class="lp-headed"><h2 id="lp-collect">1. Good frames of {{ line.name }}</h2>
          <span v-if="tally" class="lp-quiet" role="status" data-tally>{{ count(tally.kept) }} kept of {{ count(tally.needed) }} needed, {{ count(tally.dropped) }} thrown out</span></header>
        <progress v-if="tally" class="lp-done" :value="Math.min(tally.kept, tally.needed)" :max="tally.needed" aria-label="Good frames"></progress>
        <p class="lp-quiet">Keep frames that show good parts: a defect among them would be learnt as normal. <template v-if="may">A click or Space throws a frame out or takes it back, arrow keys move.</template></p>
        <div v-if="may" class="lp-tools lp-choices">
          <button class="lp-plain lp-framed" type="button" :disabled="!unsaid.length" @click="choose(unsaid, true)"><Icon name="check" />Keep all shown</button>
          <button class="lp-plain" type="button" @click="load()">Newest</button>
        </div>
        <LinesGrid v-if="rows.length" :rows="rows" :zone="zone" :doubted="doubted" :frozen="!may" @turn="turn" />
        <p v-else-if="read" class="lp-hint">Nothing is recorded yet. Frames appear here some twenty seconds after they come.</p>
        <button v-if="after" class="lp-plain lp-more" type="button" @click="load(after)">Older ones</button>
      </section>
      <section class="lp-card lp-box" aria-labelledby="lp-first">
        <header class="lp-headed"><h2 id="lp-first">2. First training</h2><a v-if="job" :href="training">Its page</a></header>
        <template v-if="working"><p role="status">{{ progress }}</p><progress class="lp-done" :value="job.progress.step ?? null" :max="job.progress.steps ?? 1" aria-label="Training"></progress></template>
        <p v-else-if="job?.state === 'failed'" class="lp-bad" role="alert">It failed: {{ job.error }}</p>
        <p v-else-if="done" class="lp-ok lp-chip"><Icon name="check" />Model {{ short(done.candidate) }}<template v-if="done.teaching">, taught by {{ count(done.teaching) }} pictures</template></p>
        <p v-if="tally?.missing" class="lp-quiet" data-missing>{{ tally.missing }}.</p>
        <p v-if="doubted.length" class="lp-warn">{{ count(doubted.length) }} of its pictures are unlike the others, and marked above: throw out what is not good, and train again.</p>
        <button v-if="may && !working" :class="done ? 'lp-plain lp-framed' : 'lp-primary'" type="button" :disabled="busy || !tally || tally.missing !== ''" @click="train"><Icon name="redo" />{{ done ? 'Train again' : 'Start the first training' }}</button>
      </section>
      <section v-if="done" class="lp-card lp-box" aria-labelledby="lp-work">
        <h2 id="lp-work">3. Put to work</h2>
        <ul v-if="promises.length" class="lp-promises" data-promises><li v-for="one in promises" :key="one.word"><span class="lp-chip" :class="one.kept ? 'lp-ok' : 'lp-warn'"><Icon :name="one.kept ? 'check' : 'dash'" />{{ one.word }} {{ precise(one.at) }}</span><span>{{ promise(one) }}</span></li></ul>
        <p v-if="calibration?.groups" class="lp-quiet">From {{ count(calibration.frames) }} good frames of {{ count(calibration.groups) }} groups that taught it nothing. How many defects it finds, nobody knows before people have answered some: look at Review for the first days.</p>
        <form v-if="may" class="lp-adder lp-start" @submit.prevent="putToWork">
          <label class="lp-wide">Reason, for the history<input v-model.trim="reason" required minlength="3" maxlength="500" placeholder="forty parts seen by hand" autocomplete="off" /></label>
          <button class="lp-primary" type="submit" :disabled="busy"><Icon name="signal" />{{ busy ? 'Every replica tests it' : 'Put to work' }}</button>
        </form>
      </section>
    </div>`,
};
